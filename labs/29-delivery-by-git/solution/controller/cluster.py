"""The API server, as far as the follower needs it: server-side apply, delete, and looking at Deployments and pods."""

import os
from pathlib import Path

import requests
from steps import Refused

API = os.environ.get("API", "https://kubernetes.default.svc")
ACCOUNT = Path(os.environ.get("ACCOUNT", "/var/run/secrets/kubernetes.io/serviceaccount"))
NAMESPACE = (ACCOUNT / "namespace").read_text().strip()


def ask(method, path, **more):
    headers = {"Authorization": f"Bearer {(ACCOUNT / 'token').read_text()}", **more.pop("headers", {})}
    return requests.request(
        method, f"{API}/{path}", headers=headers, verify=str(ACCOUNT / "ca.crt"), timeout=20, **more
    )


def place(item):
    version = item.get("apiVersion", "v1")
    root = "api" if "/" not in version else "apis"
    return f"{root}/{version}/namespaces/{NAMESPACE}/{item['kind'].lower()}s/{item['metadata']['name']}"


def apply(item, *, trying=False):
    """Server-side apply; what the API server does not take is the commit's fault."""
    answer = ask(
        "PATCH",
        place(item),
        json=item,
        headers={"Content-Type": "application/apply-patch+yaml"},
        params={"fieldManager": "delivery", "force": "true", **({"dryRun": "All"} if trying else {})},
    )
    if answer.status_code in (400, 403, 404, 409, 415, 422) or (answer.status_code == 500 and "typed" in answer.text):
        raise Refused(
            "manifest", f"the API server does not take {item['kind']} {item['metadata']['name']}: {said(answer)}"
        )
    answer.raise_for_status()


def said(answer):
    try:
        return answer.json()["message"][:300]
    except (ValueError, KeyError, TypeError):
        return f"status {answer.status_code}"


def delete(item):
    answer = ask("DELETE", place(item), params={"propagationPolicy": "Background"})
    if answer.status_code not in (200, 202, 403, 404):
        answer.raise_for_status()


def get(item):
    answer = ask("GET", place(item))
    if answer.status_code == 404:
        return None
    answer.raise_for_status()
    return answer.json()


def pods(label):
    answer = ask("GET", f"api/v1/namespaces/{NAMESPACE}/pods", params={"labelSelector": label})
    answer.raise_for_status()
    return answer.json()["items"]


def candidates():
    """The names of Deployments that were made to try a commit."""
    answer = ask("GET", f"apis/apps/v1/namespaces/{NAMESPACE}/deployments")
    answer.raise_for_status()
    names = [each["metadata"]["name"] for each in answer.json()["items"]]
    return [name for name in names if name.startswith("candidate-")]
