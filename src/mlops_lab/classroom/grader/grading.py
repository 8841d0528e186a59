"""`python -m mlops_lab.classroom.grader.grading FOLDER`: the Job's program, which grades one submission and ends.

It says only what checks have said. Whatever else happens is no result: the submission goes back, and waits again.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
import time
import traceback
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mlops_lab.base.errors import LabError
from mlops_lab.base.paths import cache
from mlops_lab.checks.verdicts import Result, Verdict
from mlops_lab.classroom import in_place, kit, packing
from mlops_lab.classroom.grader import as_it_is, outcome, rooms, stage
from mlops_lab.classroom.grader.apart.place import Place, Ran
from mlops_lab.classroom.grader.asking import Server, Stale
from mlops_lab.classroom.grader.names import PROGRAM
from mlops_lab.classroom.grader.task import Task, read
from mlops_lab.classroom.operator.spaces import Spaces
from mlops_lab.kube import tokens
from mlops_lab.kube.client import Kube
from mlops_lab.kube.inside import CERTIFICATE, connect_inside
from mlops_lab.labs import checker, parts, running
from mlops_lab.labs.catalog import Exercise, about, resolve

KNOWN = "/app/hidden"  # a cache with what only checkers know
HIDDEN = ("/app/src", "/app/labs", KNOWN)  # what programs of learners find empty in their pod's image
PACKAGES = "/app/site"
_EVERY = 30.0  # s between two signs of life
_PATIENCE = 900.0  # s for which a server that is away is waited for
_SHORTEST = 600  # s of a token


@dataclass
class Grader:
    """One grading.

    Attributes:
        address: of the API server, as pods reach it.
        certificate: what that is trusted by, as PEM.
    """

    kube: Kube
    server: Server
    task: Task
    address: str
    certificate: str

    def grade(self) -> str:
        """Grade the submission; its state then.

        Raises:
            LabError: it could not be graded; Stale where it is another grader's by now.
        """
        task, exercise = self.task, resolve(self.task.lab)
        content = self.server.archive(task.submission, task.sha256)
        place = Place(
            self.kube, task.apart, task.image, HIDDEN, PACKAGES, [(host, port) for host, port in task.api], task.dns,
            task.dns_addresses,
        )  # fmt: skip
        if task.in_place:
            return self._in_place(exercise, content, place)
        with tempfile.TemporaryDirectory(prefix="grading-") as parent:
            folder = Path(parent) / exercise.slug
            try:
                stage.lay(content, exercise, folder, task.registry, self._kubeconfig())
            except packing.Refused as refused:
                raise LabError(f"this is no archive of a workspace: {refused}", "hand it in again") from refused
            Spaces.heard(lambda: stage.begin(self.kube, exercise, task.sandbox, task.registry))
            applied = stage.put_to_work(place, folder, (folder / ".lab" / "kubeconfig").read_text("utf-8"))
            began = time.monotonic()
            results = self._checked(exercise, folder, place)
        said = outcome.outcome(
            [_with(each, applied) for each in results], outcome.content_of(exercise.folder), time.monotonic() - began
        )
        return self.server.result(task.submission, said)

    def _in_place(self, exercise: Exercise, content: bytes, place: Place) -> str:
        """Grade the learner's own namespace as it is. Raises as `grade`; NotGraded where no other try could, either."""
        task, there = self.task, as_it_is.take(self.kube, self.task, content)
        looked = self.server.looked(task.submission, in_place.encoded(there.looked))
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="grading-") as empty:
            try:
                results = self._checked(exercise, Path(empty), place)
            except LabError:
                there.still(self.kube)  # that explains more
                raise
        there.still(self.kube)
        said = outcome.outcome(results, outcome.content_of(exercise.folder), time.monotonic() - began)
        return self.server.result(task.submission, said | {"looked": looked})

    def _checked(self, exercise: Exercise, folder: Path, place: Place) -> list[Result]:
        """All checks, as `lab check` runs them.

        Raises:
            LabError: their time was over.
        """
        task, checks = self.task, checker.checks(exercise)
        settings = parts.settings(task.sandbox, about(exercise).needs)
        lab = rooms.lab_of(
            self.kube, exercise.number, task.sandbox, folder, task.registry, settings, place, task.seed, task.klass
        )  # fmt: skip
        probe = running.probe(self.kube, exercise, task.sandbox)
        results = running.run(lab, checks, environment=probe, within=task.limit)
        if late := [each.check for each in results if each.verdict is Verdict.WAITING]:
            raise LabError(f"checks had no verdict after {task.limit:g} s: {', '.join(late)}", "it is graded again")
        return results

    def _kubeconfig(self) -> str:
        """For the sandbox alone, with a learner's rights there, until this Job must have ended."""
        task = self.task
        secret = Spaces.heard(lambda: self.kube.get("Secret", PROGRAM, task.apart))
        seconds = max(_SHORTEST, int(task.limit) + _SHORTEST)
        token = Spaces.heard(lambda: tokens.issue(self.kube, PROGRAM, task.apart, seconds, secret))
        return kit.kubeconfig(self.address, self.certificate, token.token, PROGRAM, [task.sandbox])


class Alive:
    """Says every half minute that a submission is worked on, and ends this process when that is over.

    Args:
        lost: called once when the submission is somebody else's.
    """

    def __init__(self, server: Server, submission: int, lost: Any, every: float = _EVERY) -> None:
        self._server, self._submission, self._lost, self._every = server, submission, lost, every
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._say, name="alive", daemon=True)

    def __enter__(self) -> Alive:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()

    def _say(self) -> None:
        while not self._stop.wait(self._every):
            try:
                self._server.alive(self._submission)
            except Stale:
                if not self._stop.is_set():
                    self._lost()
                return
            except LabError as trouble:  # it is asked again in half a minute
                log(f"could not say that it is alive: {trouble.message}")


def run(grader: Grader, alive: Server) -> int:
    """Grade, or give back; the process's exit code: 0 where the submission is as it should be."""
    task, over = grader.task, False
    try:
        with Alive(alive, task.submission, lambda: os.kill(os.getpid(), signal.SIGTERM)):
            state = grader.grade()
        log(f"submission {task.submission} is {state}")
        return 0
    except Stale as stale:
        log(f"{stale.message}; {stale.hint}")
        return 0
    except LabError as trouble:
        why, over = f"{trouble.message}; {trouble.hint}", isinstance(trouble, as_it_is.NotGraded)
        log("\n".join((why, trouble.detail)).strip())
    except KeyboardInterrupt:
        why = "its grader was ended"
    except Exception as bug:
        why = f"the grader failed: {type(bug).__name__}: {bug}"
        log("".join(traceback.format_exception(bug)))
    try:
        grader.server.back(task.submission, why, task.tries, over=over)
    except Stale:
        return 0
    except LabError as trouble:  # whoever started this Job gives it back
        log(trouble.message)
        return 1
    return 0


def _with(result: Result, applied: Ran | None) -> Result:
    """A result with what kubectl said where it refused the files: that explains much of what is missing."""
    if applied is None or applied.code == 0 or result.verdict is not Verdict.FAIL:
        return result
    ended = applied.trouble or ("its time was over" if applied.code is None else f"it ended with {applied.code}")
    lines = tuple(f"kubectl apply: {line}" for line in applied.output.splitlines()[-5:] or [ended])
    return replace(result, evidence=(*result.evidence, *lines))


def log(text: str) -> None:
    """A line in the Job's log."""
    print(text, file=sys.stderr, flush=True)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def know(known: Path) -> None:
    """Have this process's cache, which a pod begins without, hold what only checkers know."""
    builds = cache() / "build"
    builds.parent.mkdir(parents=True, exist_ok=True)
    if not builds.is_symlink():
        builds.symlink_to(known / "build")


def main() -> int:
    """Grade the submission of a folder; the exit code."""
    signal.signal(signal.SIGTERM, _interrupt)
    know(Path(KNOWN))
    try:
        task, token = read(Path(sys.argv[1]))
        file = Path(os.environ.get("CLASS_CERTIFICATE") or "/nothing")
        certificate = file if file.is_file() else None  # else it is what this image trusts
        server = Server(task.server, token, certificate, patience=_PATIENCE)
        host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ.get("KUBERNETES_SERVICE_PORT", "443")
        address = f"https://{f'[{host}]' if ':' in host else host}:{port}"
        grader = Grader(connect_inside(), server, task, address, Path(CERTIFICATE).read_text("utf-8"))
    except LabError as trouble:
        log(f"{trouble.message}; {trouble.hint}")
        return int(trouble.exit_code)
    return run(grader, Server(task.server, token, certificate))


if __name__ == "__main__":
    sys.exit(main())
