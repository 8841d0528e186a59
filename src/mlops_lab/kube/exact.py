"""A deletion of one very object, not of whatever has its name by then."""

from __future__ import annotations

from mlops_lab.kube.client import Kube, Object
from mlops_lab.kube.errors import NotFound, translated


def delete_exactly(kube: Kube, item: Object) -> None:
    """Delete an object as it was seen; nothing, if it is gone.

    Raises:
        Refused: another object has its name now (409), or the API server refuses.
    """
    meta = item["metadata"]
    body = {
        "kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background",
        "preconditions": {"uid": meta["uid"]},
    }  # fmt: skip
    try:
        with translated(f"{item['kind']} {meta['name']}"):
            resource = kube._resource(item["kind"], item["apiVersion"])
            resource.delete(name=meta["name"], namespace=meta.get("namespace"), body=body)
    except NotFound:
        return
