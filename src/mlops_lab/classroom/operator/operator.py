"""The operator itself: threads that take turns, what gives learners a turn, and a sign that all of it goes on."""

from __future__ import annotations

import random
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from mlops_lab.base.errors import LabError
from mlops_lab.classroom import api_server, roster
from mlops_lab.classroom.operator import names, queue
from mlops_lab.classroom.operator.reconcile import Reconciler
from mlops_lab.classroom.operator.seeding import Seeding
from mlops_lab.classroom.operator.seen import Seen
from mlops_lab.classroom.operator.settings import Settings
from mlops_lab.classroom.operator.watching import Watching
from mlops_lab.kube.client import Kube, Object
from mlops_lab.kube.inside import CERTIFICATE

WORKERS = 4
_BASE = ""  # the turn of what is no learner's: the namespace of the accounts
_STUCK = 120.0  # s that one turn may take until this program is started anew
_TICK = 5.0


class Operator:
    """A class's operator.

    Args:
        alive: a file that is touched as long as all goes on.
        certificate: the file of what the API server is trusted by.
    """

    def __init__(self, kube: Kube, settings: Settings, alive: Path, certificate: Path = Path(CERTIFICATE)) -> None:
        self._kube, self._settings, self._alive = kube, settings, alive
        self.seen, self.turns = Seen(), queue.Turns()
        self._seeding = Seeding(kube, self.seen, settings.registry, self.turns.add)
        self.reconciler = Reconciler(
            kube, settings, self.seen, self._seeding, lambda: self._api, lambda: certificate.read_text("utf-8")
        )
        self._watching = Watching(kube, settings, self.seen, self._changed, log)
        self._api: Sequence[tuple[str, int]] = ()
        self._stop = threading.Event()
        self._workers: list[threading.Thread] = []

    def run(self) -> None:
        """Work until `stop`.

        Raises:
            LabError: the API server refuses what the operator can't do without.
        """
        self._begin()
        next_look = time.monotonic() + self._settings.resync_seconds
        while not self._stop.is_set():
            if self._watching.alive and self.turns.longest() < _STUCK and all(t.is_alive() for t in self._workers):
                self._alive.touch()
            if time.monotonic() > next_look:
                next_look = time.monotonic() + self._settings.resync_seconds
                self._again()
            self._stop.wait(min(_TICK, self._settings.resync_seconds))
        self.turns.close()
        self._watching.close()
        self._seeding.close()

    def stop(self, *_: object) -> None:
        """End; what is half done is gone on with after the next start."""
        self._stop.set()

    def _begin(self) -> None:
        while not self._stop.is_set():
            try:
                self.reconciler.base()
                self._look()
                break
            except LabError as trouble:
                if not trouble.transient:
                    log(f"waits: {trouble.message}")
                self._stop.wait(_TICK)
        self._watching.start()
        for number in range(WORKERS):
            worker = threading.Thread(target=self._work, name=f"turns {number}", daemon=True)
            worker.start()
            self._workers.append(worker)

    def _look(self) -> None:
        self._api = api_server.addresses(self._kube) or self._api
        self._watching.look()

    def _again(self) -> None:
        """Look at everything again, spread over the time until the next look."""
        try:
            self._look()
        except LabError as trouble:
            log(f"could not look at everything: {trouble.message}")
            return
        for learner in self._everyone():
            self.turns.after(random.uniform(0, self._settings.resync_seconds), learner)

    def _everyone(self) -> set[str]:
        there = {
            names.label(item, names.LEARNER) for kind in ("Namespace", "ServiceAccount") for item in self.seen.of(kind)
        }
        asks = {names.label(item, names.LEARNER) for item in self.seen.of("ConfigMap")}
        return there | asks | set(self.reconciler.roster or ())

    def _changed(self, item: Object) -> None:
        """Something came, is another, or went."""
        if names.label(item, names.PART) == names.ROSTER:
            self._roster(self.seen.find("ConfigMap", names.ROSTER, self._settings.namespace))
        else:
            self.turns.add(names.label(item, names.LEARNER))

    def _roster(self, item: Object | None) -> None:
        """Take the roster as it is now; one that can't be read changes nothing."""
        text = ((item or {}).get("data") or {}).get("roster.csv", "")
        if not text:  # a class that has just been installed
            return
        try:
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder) / "roster.csv"
                file.write_text(text, "utf-8")
                learners = {each.id: each for each in roster.read(file)}
        except LabError as wrong:
            log(f"the roster stays as it was: {wrong.message.replace(str(folder) + '/', '')}")
            return
        before = self.reconciler.roster or {}
        self.reconciler.roster = learners
        for learner in self._everyone():
            lane = queue.AGAIN if before.get(learner) == learners.get(learner) else queue.NEW
            self.turns.add(learner, lane)

    def _work(self) -> None:
        while (learner := self.turns.take()) is not None:
            failed = True
            try:
                if learner == _BASE:
                    self.reconciler.base()
                    failed = False
                else:
                    failed = not self.reconciler.turn(learner)
            except LabError as trouble:
                log(f"{learner or 'accounts'}: {trouble.message}")
            except Exception as bug:  # one learner's trouble is nobody else's
                log(f"{learner or 'accounts'}: the operator failed: {bug!r}")
            finally:
                self.turns.done(learner, failed)


def log(line: str) -> None:
    """A line for who reads the pod's log."""
    print(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {line}", file=sys.stderr, flush=True)
