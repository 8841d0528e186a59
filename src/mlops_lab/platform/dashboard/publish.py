"""Dashboards of a learner's, put where the platform's Grafana looks for them: in a ConfigMap that it mounts."""

from __future__ import annotations

import json
from collections.abc import Mapping

from mlops_lab.base.errors import UsageError
from mlops_lab.cluster.kubectl import Kubectl
from mlops_lab.platform.dashboard.boards import Board

CONFIG_MAP = "learner-dashboards"  # grafana.learner.configMap of the chart
_LARGEST = 900_000  # characters; the API server takes 1 MiB
_HINT = "give it a `uid` of its own"


def publish(kubectl: Kubectl, namespace: str, boards: Mapping[str, Board], known: Mapping[str, Board]) -> None:
    """Make these the learner's dashboards in Grafana, in place of those that were there.

    Args:
        known: the platform's own, whose uids are taken.

    Raises:
        UsageError: one of them is not for Grafana as it is.
    """
    for uid, board in boards.items():
        if not board.raw.get("uid"):
            raise UsageError(
                f"the dashboard {board.title} has no uid, so Grafana would make another one each time", _HINT
            )
        if uid in known:
            raise UsageError(
                f"the dashboard {board.title} has the uid {uid}, as the platform's {known[uid].title}", _HINT
            )
    data = {f"{uid}.json": json.dumps(board.raw, ensure_ascii=False) for uid, board in boards.items()}
    if sum(map(len, data.values())) > _LARGEST:
        raise UsageError(f"the dashboards are larger than {_LARGEST} characters together", "put fewer into the folder")
    labels = {"app.kubernetes.io/managed-by": "mlops-lab"}
    item = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": CONFIG_MAP, "namespace": namespace, "labels": labels},
    }
    kubectl.apply(json.dumps({**item, "data": data}))
