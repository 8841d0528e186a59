"""A rollout is waited for, gone back on when it fails, and never waited for without a limit."""

from __future__ import annotations

import itertools
import time
from types import SimpleNamespace
from typing import Any

import pytest
from delays import rollout
from kubernetes.client import ApiException
from urllib3.exceptions import MaxRetryError


class Cluster:
    """A Deployment of two pods, as the API shows it; versions in `bad` never become ready."""

    def __init__(self, bad: tuple[str, ...] = (), reason: str = "", deadline: bool = False) -> None:
        self.version, self.asked, self.bad, self.reason, self.deadline = "1", [], bad, reason, deadline
        self.limits: list[float] = []
        self.old = ""  # what the pod of the version before waits for
        self.refuse: list[Exception] = []  # what listing pods raises next

    def read_namespaced_deployment(self, name: str, namespace: str, _request_timeout: float) -> Any:
        self.limits.append(_request_timeout)
        well = self.version not in self.bad
        stuck = [SimpleNamespace(reason="ProgressDeadlineExceeded")] if self.deadline and not well else []
        env = [SimpleNamespace(name=rollout.VARIABLE, value=self.version)]
        spec = SimpleNamespace(containers=[SimpleNamespace(name="server", env=env)])
        return SimpleNamespace(
            metadata=SimpleNamespace(generation=1),
            spec=SimpleNamespace(
                replicas=2, template=SimpleNamespace(spec=spec), selector=SimpleNamespace(match_labels={"app": "model"})
            ),
            status=SimpleNamespace(
                observed_generation=1, updated_replicas=2 if well else 1, available_replicas=2,
                replicas=2 if well else 3, conditions=stuck,
            ),
        )  # fmt: skip

    def patch_namespaced_deployment(self, name: str, namespace: str, patch: Any, _request_timeout: float) -> None:
        self.limits.append(_request_timeout)
        self.version = patch["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"]
        self.asked.append(self.version)

    def list_namespaced_pod(self, namespace: str, label_selector: str, _request_timeout: float) -> Any:
        assert label_selector == "app=model"
        if self.refuse:
            raise self.refuse.pop(0)
        new = self.reason if self.version in self.bad else ""
        return SimpleNamespace(items=[pod("0", self.old), pod(self.version, new)])


def pod(version: str, reason: str) -> Any:
    waiting = SimpleNamespace(reason=reason) if reason else None
    status = SimpleNamespace(container_statuses=[SimpleNamespace(state=SimpleNamespace(waiting=waiting))])
    env = [SimpleNamespace(name=rollout.VARIABLE, value=version)]
    beside = SimpleNamespace(name="beside", env=None)  # some meshes put their container first
    spec = SimpleNamespace(containers=[beside, SimpleNamespace(name="server", env=env)])
    return SimpleNamespace(metadata=SimpleNamespace(name="model-x"), spec=spec, status=status)


def pinned(cluster: Any) -> rollout.Pinned:
    return rollout.Pinned("lab-26/model", cluster, cluster)


def test_a_rollout_that_works_gives_the_version_before() -> None:
    cluster = Cluster()
    assert pinned(cluster).change("2", 5) == "1"
    assert cluster.asked == ["2"]
    assert set(cluster.limits) == {rollout.REQUEST}


@pytest.mark.parametrize(
    ("cluster", "said"),
    [
        (Cluster(("2",), "ImagePullBackOff"), "model-x: ImagePullBackOff"),
        (Cluster(("2",), deadline=True), "1 of 2 pods updated"),
        (Cluster(("2",)), "1 of 2 pods updated"),
    ],
    ids=["image", "deadline", "limit"],
)
def test_a_rollout_that_fails_goes_back(cluster: Cluster, said: str) -> None:
    with pytest.raises(rollout.Failed, match=said) as error:
        pinned(cluster).change("2", 0.1)
    assert "went back to version 1" in str(error.value)
    assert cluster.asked == ["2", "1"]


def test_pods_of_the_version_before_say_nothing_about_the_new_one() -> None:
    cluster = Cluster(("2",))
    cluster.old = "CrashLoopBackOff"
    with pytest.raises(rollout.Failed, match="1 of 2 pods updated, 2 available; went back"):
        pinned(cluster).change("2", 0.1)
    assert cluster.asked == ["2", "1"]


def test_an_api_that_refuses_to_tell_makes_it_go_back() -> None:
    cluster = Cluster(("2",))
    cluster.refuse = [ApiException(status=403, reason="Forbidden")]
    with pytest.raises(rollout.Failed, match="403 Forbidden; went back to version 1"):
        pinned(cluster).change("2", 5)
    assert cluster.asked == ["2", "1"]


@pytest.mark.parametrize("trouble", [ApiException(status=503), MaxRetryError(None, "/", None), ConnectionError()])  # type: ignore[arg-type]
def test_an_api_that_restarts_is_asked_again(trouble: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(("2",), "ImagePullBackOff")
    cluster.refuse = [trouble]
    with pytest.raises(rollout.Failed, match="model-x: ImagePullBackOff; went back"):
        pinned(cluster).change("2", 5)
    cluster.refuse = [trouble]
    monkeypatch.setattr(rollout, "PATIENCE", -1)
    with pytest.raises(rollout.Failed, match=r"API server.*went back"):
        pinned(cluster).change("2", 5)
    assert cluster.asked == ["2", "1"] * 2


def test_a_deployment_that_pins_nothing_is_left_alone() -> None:
    cluster = Cluster()
    cluster.read_namespaced_deployment = lambda *_, **__: SimpleNamespace(  # type: ignore[method-assign]
        spec=SimpleNamespace(
            template=SimpleNamespace(spec=SimpleNamespace(containers=[SimpleNamespace(name="x", env=None)]))
        )
    )
    with pytest.raises(rollout.Failed, match="sets no MODEL_VERSION"):
        pinned(cluster).change("2", 1)
    assert cluster.asked == []
    with pytest.raises(ValueError, match="namespace/name"):
        rollout.Pinned("model", cluster, cluster)  # type: ignore[arg-type]


def test_all_answers_must_be_of_the_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollout, "EVERY", 0.001)
    mixed = itertools.chain(["1", "2"] * 30, itertools.repeat("2"))
    asked: list[str] = []

    def ask(url: str) -> dict[str, Any]:
        asked.append(url)
        return {"model_version": next(mixed)}

    rollout.answers("http://model/", "2", 10, ask=ask)
    assert len(asked) >= 59 + rollout.IN_A_ROW
    assert set(asked) == {"http://model/version"}


def test_an_answer_of_another_version_begins_the_baking_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollout, "EVERY", 0.001)
    late = {rollout.IN_A_ROW + 5: 0.0}  # the number of the answer that is of the old version, and when it came
    number = 0

    def ask(url: str) -> dict[str, Any]:
        nonlocal number
        number += 1
        if number in late:
            late[number] = time.monotonic()
        return {"model_version": "1" if number in late else "2"}

    rollout.answers("http://model/", "2", 10, 0.5, ask)
    (came,) = late.values()
    assert came and time.monotonic() - came >= 0.5


def test_answers_that_never_come_end_with_the_last_state() -> None:
    with pytest.raises(rollout.Failed, match="last seen: no answer"):
        rollout.answers("http://127.0.0.1:9", "2", 0.3)
    with pytest.raises(rollout.Failed, match="answers with version 1"):
        rollout.answers("http://x", "2", 0.3, ask=lambda _: {"model_version": "1"})
