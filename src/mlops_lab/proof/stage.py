"""The stage of a verification: a namespace and a workspace of its own on the live cluster, apart from the learner's."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from mlops_lab.base.errors import LabError
from mlops_lab.base.paths import cache
from mlops_lab.checks.check import Check
from mlops_lab.checks.lab import Lab
from mlops_lab.checks.run import Environment
from mlops_lab.checks.verdicts import Result
from mlops_lab.labs import images, namespaces, parts, running
from mlops_lab.labs.catalog import Exercise, about
from mlops_lab.labs.rows import Rows
from mlops_lab.labs.target import Target
from mlops_lab.labs.variants import Variant, forget, lay_out, put_to_work
from mlops_lab.labs.workspace import fill, put_kubeconfig
from mlops_lab.proof import leftovers
from mlops_lab.proof.outage import paused_api_server

# An outage longer than ten seconds costs the controllers their leases; see proof.outage.
_OUTAGE = 12.0


class Stage(Protocol):
    """What the steps of a verification need."""

    def fresh(self) -> None:
        """The lab as right after its start."""

    def reset(self) -> None:
        """The same by a reset: what was there is gone when this ends."""

    def work(self, variant: Variant) -> None:
        """Put a variant to work on a fresh stage; raises as `labs.variants.put_to_work`."""

    def checked(self, mistake: str = "") -> list[Result]:
        """Run all checks; `mistake`: the one that what is at work must fail."""

    def objects(self) -> list[str]:
        """What is in the namespace and around it."""

    def checked_in_outage(self, *, begun: bool) -> list[Result]:
        """Run all checks while the API server does not answer; `begun`: it went away just after the first look."""

    def healthy(self, within: float) -> list[str]:
        """Wait for the cluster to be well; what is wrong with it at the end, nothing if all is well."""

    def clear(self) -> None:
        """Leave nothing behind."""


class LiveStage:
    """The stage on a real cluster.

    Args:
        hasty: a second connection to the same cluster, with a short time limit, for the outage.
        prefix: what the namespace's and the workspace's names begin with.

    Fresh stages come in two namespaces in turn: while one is deleted, the next step begins in the other.
    """

    def __init__(
        self, target: Target, hasty: Target, exercise: Exercise, checks: Sequence[Check], prefix: str = "verify"
    ) -> None:
        self._target = target
        self._hasty = hasty
        self._exercise = exercise
        self._checks = checks
        self._next, self.namespace = f"{prefix}-lab-{exercise.number}", f"{prefix}-b-lab-{exercise.number}"
        self._beside = ThreadPoolExecutor(1, thread_name_prefix="leaving")
        self._leaving: Future[None] | None = None
        self.workspace: Path = cache() / prefix / exercise.slug

    def fresh(self) -> None:
        self._wait_for_leaving()
        self._leaving = self._beside.submit(self._remove, self.namespace)
        self.namespace, self._next = self._next, self.namespace
        self.reset()

    def reset(self) -> None:
        kube = self._target.kube
        self._remove(self.namespace)
        namespaces.create(kube, self._exercise, self.namespace)
        namespaces.seed(kube, self._exercise, self.namespace, self._target.registry)
        forget(self.workspace)
        fill(self.workspace, self._exercise.folder / "start", self._target.registry)
        put_kubeconfig(self.workspace, kube, self.namespace)

    def work(self, variant: Variant) -> None:
        images.bring(variant.images)
        forget(self.workspace)
        lay_out(variant, self.workspace, self._target.registry)
        put_kubeconfig(self.workspace, self._target.kube, self.namespace)
        put_to_work(self.workspace)

    def checked(self, mistake: str = "", listener: Rows | None = None) -> list[Result]:
        return running.run(
            self._lab(self._target, mistake), self._checks, listener=listener, environment=self._looks(self._target)
        )

    def objects(self) -> list[str]:
        kube = self._target.kube
        return (
            leftovers.inside(kube, self.namespace)
            + leftovers.around(kube, self.namespace)
            + parts.traces(kube, self.namespace, about(self._exercise).needs)
        )

    def checked_in_outage(self, *, begun: bool) -> list[Result]:
        target = self._hasty
        if not target.control_plane:
            raise LabError("this cluster's API server cannot be paused", "verify on a cluster made by lab up")
        self._wait_for_leaving()
        looks = self._looks(target)
        looks()  # opens the connections and reads the discovery, as in a command that is under way
        with contextlib.ExitStack() as outage:
            pause = paused_api_server(target.control_plane, target.engine)
            first = _Once(lambda: outage.enter_context(pause), looks)
            if not begun:
                first()
            results = running.run(self._lab(target), self._checks, environment=first, within=_OUTAGE)
            # Without an outage there is nothing to judge: an error here must not look like the checks' own.
            if first.failed:
                raise first.failed
            return results

    def healthy(self, within: float) -> list[str]:
        looks = self._looks(self._target)
        end = time.monotonic() + within
        while (found := list(looks())) and time.monotonic() < end:
            time.sleep(2)
        return found

    def clear(self) -> None:
        try:
            self._wait_for_leaving()
        finally:
            self._remove(self.namespace)
            forget(self.workspace)

    def _wait_for_leaving(self) -> None:
        """Wait until the namespace before this one is gone."""
        leaving, self._leaving = self._leaving, None
        if leaving:
            leaving.result()

    def _remove(self, namespace: str) -> None:
        namespaces.remove(self._target.kube, self._exercise, namespace)

    def _looks(self, target: Target) -> Environment:
        return running.probe(target.kube, self._exercise, self.namespace)

    def _lab(self, target: Target, mistake: str = "") -> Lab:
        return running.lab_object(target.kube, self._exercise, self.namespace, self.workspace, target.registry, mistake)


class _Once:
    """A look at the cluster that does something instead the first time, and then finds nothing wrong."""

    def __init__(self, first: Callable[[], object], looks: Environment) -> None:
        self._first = first
        self._looks = looks
        self._called = False
        self.failed: LabError | None = None

    def __call__(self) -> Sequence[str]:
        if self._called:
            return self._looks()
        self._called = True
        try:
            self._first()
        except LabError as error:
            self.failed = error
            raise
        return []
