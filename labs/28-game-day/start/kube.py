"""The API server as a pod of the namespace may ask it, by its ServiceAccount's token. Yours to change or to replace."""

import http.client
import json
import os
import ssl
import urllib.error
import urllib.request
from pathlib import Path

SERVER = os.environ.get("KUBE_SERVER", "https://kubernetes.default.svc")
ACCOUNT = Path(os.environ.get("KUBE_ACCOUNT", "/var/run/secrets/kubernetes.io/serviceaccount"))
GROUPS = {
    "deployments": "apis/apps/v1", "services": "api/v1", "pods": "api/v1", "configmaps": "api/v1",
    "networkpolicies": "apis/networking.k8s.io/v1",
}  # fmt: skip


def ask(method, kind, name="", body=None, patch="merge-patch"):
    """What the API server answers about objects of a kind, such as `services`; None if it is not there (404)."""
    namespace, token = ((ACCOUNT / file).read_text() for file in ("namespace", "token"))
    kind_of = f"application/{patch}+json" if method == "PATCH" else "application/json"
    place = name if name.startswith("?") else "/" * bool(name) + name
    request = urllib.request.Request(
        f"{SERVER}/{GROUPS[kind]}/namespaces/{namespace}/{kind}{place}",
        None if body is None else json.dumps(body).encode(),
        {"Authorization": f"Bearer {token}", "Content-Type": kind_of},
        method=method,
    )
    trust = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt")) if SERVER.startswith("https") else None
    try:
        with urllib.request.urlopen(request, timeout=5, context=trust) as answer:
            return json.loads(answer.read())
    except urllib.error.HTTPError as refused:
        if refused.code == 404:
            return None
        raise OSError(
            f"{method} {kind} {name}: {refused.code} {refused.read().decode(errors='replace')[:300]}"
        ) from None
    except http.client.HTTPException as broken:  # an answer that ends in its middle, say
        raise OSError(f"{method} {kind} {name}: {broken!r}") from broken
