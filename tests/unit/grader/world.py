"""A class whose server and cluster are in memory: what a dispatcher needs of both, with time that a test moves on."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from mlops_lab.classroom.grader.asking import Server, Stale, Taken
from mlops_lab.classroom.grader.dispatcher import Dispatcher
from mlops_lab.classroom.grader.settings import Settings
from mlops_lab.kube.client import Kube
from tests.unit.cluster_in_memory import ClusterInMemory

NS = "mlops-lab-class"
JOBS = f"{NS}-grading"
SETTINGS = Settings(
    namespace=NS, registry="registry.test", address="", quota={"pods": "20", "limits.memory": "6Gi"},
    requests={"cpu": "10m"}, limits={"memory": "512Mi"}, dns={"k8s-app": "kube-dns"}, places=2,
    server="https://server.test:8444", checker="sha256:abc", image="registry.test/grader:1",
)  # fmt: skip
MOST_TRIES = 5


class Killed(BaseException):
    """The dispatcher is killed."""


def dies_at(at: int) -> Callable[[str], int]:
    """For `Cluster.refuses`: the dispatcher is killed at its write of this number, and at no other."""
    left = iter(range(at + 1))

    def dies(write: str) -> int:
        if next(left, None) == at:
            raise Killed
        return 0

    return dies


@dataclass
class Handed:
    """A submission at the server."""

    id: int
    learner: str = "ada"
    lab: str = "04"
    state: str = "waiting"
    tries: int = 0
    token: str = ""
    why: str = ""
    heard: int = 0
    namespace: str = ""


class Queue:
    """The server, as its own tests have it: who has which submission, and what becomes of it."""

    def __init__(self, *handed: Handed) -> None:
        self.handed = {each.id: each for each in handed}
        self.down: Exception | None = None
        self.results: list[int] = []
        self._tokens = itertools.count(1)

    def take(self, grader: str, checker: str, labs: list[str]) -> Taken | None:
        self._answers()
        for each in self.handed.values():
            if each.state == "waiting" and each.lab in labs:
                each.state, each.tries, each.token = "grading", each.tries + 1, f"token-{next(self._tokens)}"
                return Taken(each.id, each.learner, each.lab, 1, "0" * 64, each.token, each.tries, each.namespace)
        return None

    def back(self, submission: int, why: str, tries: int = 0, *, over: bool = False) -> None:
        self._answers()
        each = self.handed[submission]
        if tries and tries != each.tries:
            raise Stale("another's", "")
        if each.state == "grading":
            again = not over and each.tries < MOST_TRIES
            each.state, each.token, each.why = "waiting" if again else "failed", "", why

    def alive(self, submission: int, token: str) -> None:
        self._answers()
        each = self.handed[submission]
        if each.state != "grading" or each.token != token:
            raise Stale("no longer yours", "")
        each.heard += 1

    def graded(self, submission: int, token: str) -> None:
        """A Job tells a result."""
        self.alive(submission, token)
        self.handed[submission].state = "graded"
        self.results.append(submission)

    def lose(self) -> None:
        """Nothing was heard for three minutes of what nobody has said anything of."""
        for each in self.handed.values():
            if each.state == "grading" and not each.heard:
                self.back(each.id, "nothing was heard")
            each.heard = 0

    def of(self, token: str) -> Server:
        queue = self

        class Own:
            def alive(self, submission: int) -> None:
                queue.alive(submission, token)

        return cast(Server, Own())

    def _answers(self) -> None:
        if self.down:
            raise self.down


class Cluster(ClusterInMemory):
    """What is deleted without a uid are pods."""

    def delete(self, kind: str, name: str, namespace: str | None = None, **_: Any) -> None:
        assert kind == "Pod"
        self.take_away(kind, name, namespace or "")


@dataclass
class World:
    """A cluster, a server, and dispatchers over both."""

    server: Queue
    kube: Cluster = field(default_factory=Cluster)
    said: list[str] = field(default_factory=list)
    time: float = 0.0

    def dispatcher(self, settings: Settings = SETTINGS, name: str = "one", kube: Any = None) -> Dispatcher:
        return Dispatcher(
            cast(Kube, kube or self.kube), settings, cast(Server, self.server), self.server.of, "the class's secret",
            name, self.said.append, lambda: [("10.0.0.1", 6443)], lambda: self.time,
        )  # fmt: skip

    def job(self, name: str, *, ends: str = "", ready: int = 0) -> None:
        """What becomes of a Job whose turn has come."""
        job = self.kube.get("Job", name, JOBS)
        job["spec"]["suspend"] = False
        conditions = [{"type": ends, "status": "True", "reason": "BackoffLimitExceeded"}] if ends else []
        job["status"] = {"conditions": conditions, "ready": ready}
        self.kube.put(job)

    def token(self, name: str) -> str:
        import base64

        return base64.b64decode(self.kube.get("Secret", name, JOBS)["data"]["token"]).decode()

    def left(self) -> list[str]:
        """All that is there of submissions."""
        return [f"{kind} {namespace}/{name}" for kind, namespace, name in self.kube.items]

    def through(self, rounds: int, each: Callable[[], object] = lambda: None) -> None:
        """So many rounds of a dispatcher of its own, each half a minute after the one before."""
        dispatcher = self.dispatcher()
        for _ in range(rounds):
            dispatcher.round()
            each()
            self.time += 30
