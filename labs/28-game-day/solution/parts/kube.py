"""The API server as a pod of the namespace may ask it; manifests are applied as `kubectl apply --server-side` does."""

import http.client
import json
import os
import ssl
import urllib.error
import urllib.request
from pathlib import Path

SERVER = os.environ.get("KUBE_SERVER", "https://kubernetes.default.svc")
ACCOUNT = Path(os.environ.get("KUBE_ACCOUNT", "/var/run/secrets/kubernetes.io/serviceaccount"))
KINDS = {
    "Deployment": "apis/apps/v1/namespaces/{}/deployments", "Service": "api/v1/namespaces/{}/services",
    "Pod": "api/v1/namespaces/{}/pods", "NetworkPolicy": "apis/networking.k8s.io/v1/namespaces/{}/networkpolicies",
}  # fmt: skip


def call(method, kind, name="", body=None, **query):
    namespace, token = ((ACCOUNT / file).read_text() for file in ("namespace", "token"))
    url = f"{SERVER}/{KINDS[kind].format(namespace)}{'/' * bool(name)}{name}"
    if query:
        url += "?" + "&".join(f"{key}={value}" for key, value in query.items())
    request = urllib.request.Request(
        url, None if body is None else json.dumps(body).encode(),
        {"Authorization": f"Bearer {token}", "Content-Type": "application/apply-patch+yaml"}, method=method,
    )  # fmt: skip
    trust = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt")) if SERVER.startswith("https") else None
    try:
        with urllib.request.urlopen(request, timeout=5, context=trust) as answer:
            return json.loads(answer.read())
    except http.client.HTTPException as broken:  # an answer that ends in its middle, say
        raise OSError(f"{method} {kind} {name}: {broken!r}") from broken


def get(kind, name):
    """An object; None if it is not there."""
    try:
        return call("GET", kind, name)
    except urllib.error.HTTPError as refused:
        if refused.code == 404:
            return None
        raise


def items(kind, selector=""):
    return call("GET", kind, **({"labelSelector": selector} if selector else {}))["items"]


def apply(manifest):
    name = manifest["metadata"]["name"]
    return call("PATCH", manifest["kind"], name, manifest, fieldManager="watch", force="true")


def delete(kind, name):
    call("DELETE", kind, name)
