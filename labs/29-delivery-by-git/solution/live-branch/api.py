"""Kubernetes for both programs, by its own client."""

import json
import os
from pathlib import Path

from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from steps import No

ACCOUNT = Path(os.environ.get("ACCOUNT", "/var/run/secrets/kubernetes.io/serviceaccount"))
NAMESPACE = (ACCOUNT / "namespace").read_text()


def connected():
    if "API" in os.environ:
        return client.ApiClient(client.Configuration(host=os.environ["API"]))
    config.load_incluster_config()
    return client.ApiClient()


api = connected()
core, apps = client.CoreV1Api(api), client.AppsV1Api(api)


def path(item):
    version = item.get("apiVersion", "v1")
    where = "/apis" if "/" in version else "/api"
    return f"{where}/{version}/namespaces/{NAMESPACE}/{item['kind'].lower()}s/{item['metadata']['name']}"


def apply(item, **query):
    api.call_api(
        path(item), "PATCH", query_params=list({"fieldManager": "delivery", "force": "true", **query}.items()),
        header_params={"Content-Type": "application/apply-patch+yaml", "Accept": "application/json"},
        body=item, auth_settings=["BearerToken"], _request_timeout=20,
    )  # fmt: skip


def possible(item):
    """Would the API server take it?"""
    try:
        apply(item, dryRun="All")
    except ApiException as trouble:
        if 400 <= trouble.status < 500:
            raise No(f"manifest: {item['kind']} {item['metadata']['name']} is refused: {body(trouble)}") from trouble
        raise


def body(trouble):
    try:
        return json.loads(trouble.body)["message"][:300]
    except (TypeError, ValueError, KeyError):
        return trouble.reason


def gone(item):
    try:
        query = [("propagationPolicy", "Background")]
        api.call_api(
            path(item), "DELETE", query_params=query, auth_settings=["BearerToken"], _request_timeout=20,
            header_params={"Accept": "application/json"},
        )  # fmt: skip
    except ApiException as trouble:
        if trouble.status != 404:
            raise
