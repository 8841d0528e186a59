"""An API server that once takes a connection and does not answer in time ends no wait."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mlops_lab.base.errors import LabError
from mlops_lab.base.processes import Completed, TimedOut
from mlops_lab.base.progress import Progress
from mlops_lab.cluster import addons, kubectl, kueue, names
from mlops_lab.cluster.kubectl import Kubectl
from mlops_lab.platform import install
from mlops_lab.platform.helm import Helm

READY = {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Available", "status": "True"}]}
WHOLE = [
    {"kind": "APIService", "metadata": {"name": "v1beta1.metrics.k8s.io"}, "status": READY},
    {"kind": "Node", "metadata": {"name": "a"}, "status": READY},
    {"kind": "Lease", "metadata": {"name": "a"}, "spec": {}},
    {
        "kind": "Deployment",
        "metadata": {"name": "load", "namespace": names.NAMESPACE, "generation": 1},
        "spec": {"replicas": 1},
        "status": {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1},
    },
]


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Has the next runs of kubectl end in these ways: a text that it prints, or an exception."""

    def make(*ends: str | Exception) -> list[str]:
        asked: list[str] = []
        left = list(ends)

        def run(words: Any, **options: Any) -> Completed:
            asked.append(" ".join(words))
            end = left.pop(0)
            if isinstance(end, Exception):
                raise end
            return Completed(0, end, "")

        monkeypatch.setattr(kubectl, "find", lambda program: Path(program))
        monkeypatch.setattr(kubectl, "run", run)
        monkeypatch.setattr("time.sleep", lambda seconds: None)
        return asked

    return make


def late() -> TimedOut:
    return TimedOut("kubectl did not end within 15 s", "try again", "$ kubectl get nodes")


def test_the_cluster_is_asked_again(slow: Callable[..., list[str]]) -> None:
    refused = LabError("kubectl failed with exit code 1", "", "$ kubectl get nodes\nconnection refused")
    asked = slow(late(), refused, json.dumps({"items": WHOLE}))
    addons.wait(Kubectl("c"), 1, {})
    assert len(asked) == 3
    slow(late())
    assert addons.lacking(Kubectl("c"), 1) == ["the API server does not answer: kubectl did not end within 15 s"]
    slow(refused)
    (said,) = addons.lacking(Kubectl("c"), 1)
    assert said == "the API server does not answer: kubectl failed with exit code 1 (connection refused)"


def test_who_wants_no_error_gets_none(slow: Callable[..., list[str]]) -> None:
    slow(late(), late(), late())
    assert not Kubectl("c").answers()
    assert Kubectl("c").run("get", "nodes", check=False) == Completed(124, "", "kubectl did not end within 15 s")
    with pytest.raises(TimedOut):
        Kubectl("c").run("get", "nodes")


def test_a_class_that_ends_takes_kueue_away_only_if_nobody_else_has_queues(slow: Callable[..., list[str]]) -> None:
    slow(late())
    with pytest.raises(LabError, match="queues can't be listed"):
        kueue.queues(Kubectl("c"))


def test_a_part_of_the_platform_is_asked_about_again_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    answers: list[Any] = [late(), late(), ([], [])]

    def sleep(seconds: float) -> None:
        clock[0] += 50

    def lacking(*_: Any) -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr("time.sleep", sleep)
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    monkeypatch.setattr(install.state, "lacking", lacking)
    monkeypatch.setattr(install, "Watch", lambda *_: SimpleNamespace(detail=lambda: "", waits=lambda: ""))
    monkeypatch.setattr(install, "_looking", lambda *_: lambda: "")
    site: Any = SimpleNamespace(kubectl=Kubectl("c"), helm=Helm(Path("helm"), "c"), docker=None, progress=Progress())
    release: Any = SimpleNamespace(part="tracking", namespace="mlops-lab-tracking", within=600)
    assert install._wait(release, site) == []
    answers[:] = [late()] * 9
    with pytest.raises(LabError, match="did not end within"):
        install._wait(release, site)
    assert len(answers) == 5, "asked at 0, 50, 100 and 150 s"
