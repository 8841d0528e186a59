"""The end of the checker's own objects: each is deleted, whatever becomes of the others."""

from __future__ import annotations

import time
from collections.abc import Sequence

from mlops_lab.base.errors import LabError
from mlops_lab.kube.client import Kube, Object
from mlops_lab.kube.errors import Unreachable

_WITHIN = 20.0  # s in which the API server may be away
_EVERY = 1.0  # s


def remove(kube: Kube, objects: Sequence[Object]) -> None:
    """Delete objects, the last one first and pods at once; tried again for some seconds while the API server is away.

    Args:
        objects: as they were applied, with their namespaces; some of them may not be there.

    Raises:
        LabError: one is not deleted; all others were tried.
    """
    left, end = list(reversed(objects)), time.monotonic() + _WITHIN
    while True:
        troubles: list[LabError] = []
        for item in list(left):
            about, grace = item["metadata"], 0 if item["kind"] == "Pod" else None
            try:
                kube.delete(item["kind"], about["name"], about["namespace"], grace=grace)
                left.remove(item)
            except LabError as trouble:
                troubles.append(trouble)
        if not troubles:
            return
        if time.monotonic() > end or not any(each.transient or isinstance(each, Unreachable) for each in troubles):
            raise troubles[0]
        time.sleep(_EVERY)
