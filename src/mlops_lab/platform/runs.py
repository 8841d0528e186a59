"""Runs of pipelines that are at work, whatever engine has them: both answer by the same API.

Kubeflow's runs need its database, its API and its controllers all the time, so nothing of it may be replaced while they
are at work. The project's own engine may be: its runs go on while the server is away.
"""

from __future__ import annotations

import contextlib
import http.client
import json
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote

from mlops_lab.base.errors import LabError
from mlops_lab.cluster.kubectl import Kubectl
from mlops_lab.cluster.port_forward import forward
from mlops_lab.platform.releases import Engine, Release

_SERVICE, _PORT = "ml-pipeline", 8888
_ENDED = ("SUCCEEDED", "FAILED", "CANCELED", "SKIPPED")
_SIZE = 100  # runs of a page
_OURS = ("app.kubernetes.io/managed-by", "mlops-lab-pipelines")  # the label of the embedded engine's drivers and steps
_ARGOS = "workflows.argoproj.io/workflow"  # the label of an Argo workflow's pods, with its name
_RUN = "pipeline/runid"  # the label of Kubeflow's workflows, with the run's ID
_UNENDED = ("-l", "workflows.argoproj.io/completed!=true")
_NO_SUCH_KIND = "doesn't have a resource type"

HINT = (
    "wait until they have ended, terminate them, or delete those that nothing runs any more (lab open pipelines); then"
    " run the same command again"
)


def at_work(kubectl: Kubectl, namespace: str, *, workflows: bool = False) -> list[str] | None:
    """The names of runs that have not ended; None where the API does not answer.

    Args:
        workflows: a run is at work only as long as its workflow is there, as Kubeflow's are. Who deletes a recurring
            run deletes the workflows of its runs, and Kubeflow calls those running for ever.
    """
    try:
        with forward(kubectl, namespace, f"service/{_SERVICE}", _PORT) as port:
            found = _unended(port)
        if found and workflows:
            there = {
                (item["metadata"].get("labels") or {}).get(_RUN)
                for item in _items(kubectl, "workflows.argoproj.io", namespace)
            }
            found = [(key, name) for key, name in found if key in there]
    except (OSError, http.client.HTTPException, LabError, ValueError):
        return None
    return [name for _, name in found]


def unended(kubectl: Kubectl, namespace: str) -> list[str]:
    """What the cluster has of runs that have not ended, as `kubectl` calls it: for when the API does not answer.

    Raises:
        LabError: the cluster does not answer.
    """
    found = [f"workflow/{name}" for name in _named(kubectl, "workflows.argoproj.io", namespace, *_UNENDED)]
    for item in kubectl.get("pods", "-n", namespace):
        labels = item["metadata"].get("labels") or {}
        works = item.get("status", {}).get("phase") not in ("Succeeded", "Failed")
        if works and (labels.get(_OURS[0]) == _OURS[1] or _ARGOS in labels):
            found.append(f"pod/{item['metadata']['name']}")
    return found


def recurring(kubectl: Kubectl, namespace: str) -> list[str]:
    """Kubeflow's recurring runs, by the names of the objects that start them.

    Raises:
        LabError: the cluster does not answer.
    """
    return _named(kubectl, "scheduledworkflows.kubeflow.org", namespace)


def published(release: Release, profile: str) -> Engine | None:
    """The engine of a profile that a published system is, in place of the part's own."""
    engine = release.running(profile)
    return None if engine is None or engine.adds else engine


def hold(kubectl: Kubectl, release: Release, known: str, profile: str, say: Callable[[str], None]) -> bool:
    """Is an upgrade of a published system to wait, since it could end runs that are at work? Then a line says so."""
    engine = published(release, profile)
    if engine is None or engine is not release.running(known):
        return False
    found = at_work(kubectl, release.namespace, workflows=True)
    if found:
        say(
            f"{release.part}: not upgraded, as that could end runs that are at work on {engine.title}: {some(found)};"
            f" {HINT}"
        )
    elif found is None and (left := unended(kubectl, release.namespace)):
        say(f"{release.part}: {engine.title} does not answer, and is upgraded though runs were at work: {some(left)}")
    return bool(found)


def some(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _named(kubectl: Kubectl, kind: str, namespace: str, *more: str) -> list[str]:
    """The names of a kind's objects; none where the cluster does not know the kind."""
    return [item["metadata"]["name"] for item in _items(kubectl, kind, namespace, *more)]


def _items(kubectl: Kubectl, kind: str, namespace: str, *more: str) -> list[dict[str, Any]]:
    done = kubectl.run("get", kind, "-n", namespace, *more, "-o", "json", check=False)
    if done.code == 0:
        return list(json.loads(done.stdout)["items"])
    if _NO_SUCH_KIND in done.stderr:
        return []
    raise LabError(f"{kind} can't be listed", "see what is wrong: lab status", done.stderr.strip())


def _unended(port: int) -> list[tuple[str, str]]:
    """Runs that have not ended, by ID and name."""
    found: list[tuple[str, str]] = []
    token, before = "", set[str]()
    while token not in before:
        before.add(token)
        page = _ask(port, f"/apis/v2beta1/runs?page_size={_SIZE}&sort_by=created_at%20desc&page_token={quote(token)}")
        runs = page.get("runs") or []
        found += [
            (str(run.get("run_id")), str(run.get("display_name") or run.get("run_id")))
            for run in runs
            if run.get("state") not in _ENDED
        ]
        token = str(page.get("next_page_token") or "")
        if not token:
            return found
    raise ValueError("the list of runs has no end")


def _ask(port: int, path: str) -> dict[str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    with contextlib.closing(connection):
        connection.request("GET", path)
        answer = connection.getresponse()
        text = answer.read()
    if answer.status != 200:
        raise ValueError(f"HTTP status {answer.status}")
    return dict(json.loads(text))
