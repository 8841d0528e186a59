"""Runs of pipelines that are at work, whatever engine has them: both answer by the same API."""

from __future__ import annotations

import contextlib
import http.client
import json
from typing import Any

from mlops_lab.base.errors import LabError
from mlops_lab.cluster.kubectl import Kubectl
from mlops_lab.cluster.port_forward import forward

_SERVICE, _PORT = "ml-pipeline", 8888
_ENDED = ("SUCCEEDED", "FAILED", "CANCELED", "SKIPPED")
_PAGES, _SIZE = 10, 100  # the newest thousand runs; one that is older is hardly at work


def at_work(kubectl: Kubectl, namespace: str) -> list[str] | None:
    """The names of runs that have not ended; None where the API does not answer."""
    try:
        with forward(kubectl, namespace, f"service/{_SERVICE}", _PORT) as port:
            return _names(port)
    except (OSError, http.client.HTTPException, LabError, ValueError):
        return None


def _names(port: int) -> list[str]:
    found: list[str] = []
    token = ""
    for _ in range(_PAGES):
        page = _ask(port, f"/apis/v2beta1/runs?page_size={_SIZE}&sort_by=created_at%20desc&page_token={token}")
        runs = page.get("runs") or []
        found += [str(run.get("display_name") or run.get("run_id")) for run in runs if run.get("state") not in _ENDED]
        token = str(page.get("next_page_token") or "")
        if not token:
            break
    return found


def _ask(port: int, path: str) -> dict[str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    with contextlib.closing(connection):
        connection.request("GET", path)
        answer = connection.getresponse()
        text = answer.read()
    if answer.status != 200:
        raise ValueError(f"HTTP status {answer.status}")
    return dict(json.loads(text))
