"""Bringing pods in line with what the store says, again and again: drivers and tasks started, lost ones noticed.

Every look is at the pods first and at the store after, so that a pod that reported and ended in between is never taken
for one that ended without a word. Each pod's name says what it is for, so starting it twice does nothing. A call that
the cluster does not answer holds up its own pod alone.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
import time
import traceback
from collections.abc import Iterator
from typing import Any

from embedded import manifests, mounts, runs, schedule
from embedded.artifacts import Artifacts
from embedded.pods import Pods, Refused, Seen, Unreachable
from embedded.settings import Settings
from embedded.store import Store, age, now
from embedded.waiting import Patience

_MANNERS = 15.0  # seconds
# A pod whose deletion takes so many seconds longer than it may is on a node that does not answer. Should it still run
# there, its results are refused.
_LOST = 60.0
_IDLE = 1.0  # seconds between looks at the schedule when nothing runs
# What a look needs of each run at work; its pipeline may have megabytes.
_OF_A_RUN = "id, state, account, generation, made, seen, lives"


class Reconciler(threading.Thread):
    """The server's own thread."""

    def __init__(self, settings: Settings, store: Store, artifacts: Artifacts, pods: Pods) -> None:
        super().__init__(name="reconciler", daemon=True)
        self._settings, self._store, self._artifacts, self._pods = settings, store, artifacts, pods
        self._wake, self._end = threading.Event(), threading.Event()  # no `_stop`: threads have one of their own
        self._over: dict[str, float] = {}  # when each finished pod was first seen finished
        self._patience = Patience(settings, pods)
        self._since = now()  # nobody could be heard before
        self._left = True  # may there be pods, though no run is active?
        self._looked = 0.0
        self._unanswered: list[str] = []  # what the cluster did not do in this look
        self.trouble = ""  # why the last look failed, or a part of it

    def wake(self) -> None:
        """Look now."""
        self._wake.set()

    def stop(self) -> None:
        """End the thread after the present look; what runs goes on without it."""
        self._end.set()
        self._wake.set()
        self.join(30)

    def run(self) -> None:
        """Look until stopped; whatever goes wrong in one look is said and tried again in the next."""
        while not self._end.is_set():
            busy = True
            try:
                self._unanswered = []
                busy = self.look()
                self.trouble = self._unanswered[0] if self._unanswered else ""
            except Unreachable as error:
                self._missed(error)
                self.trouble = str(error)
            except Exception:
                self.trouble = "an error in the server; see its log"
                traceback.print_exc()
            self._wake.wait(self._settings.tick if busy else _IDLE)
            self._wake.clear()

    def look(self) -> bool:
        """One look; is anything under way?"""
        schedule.start_due(self._store)
        where = f"from runs where state in ({', '.join('?' * len(runs.ACTIVE))})"
        busy = self._store.row(f"select 1 {where} limit 1", *runs.ACTIVE) is not None
        if not busy and (not self._left or time.monotonic() - self._looked < 5 * self._settings.tick):
            return False
        began, self._looked = now(), time.monotonic()
        seen = self._pods.seen()
        active = self._store.rows(f"select {_OF_A_RUN} {where} order by created, rowid", *runs.ACTIVE)
        running = sum(run["state"] != "PENDING" for run in active)
        for run in active:
            with self._aside():
                if run["state"] == "CANCELING":
                    self._cancel(run, seen)
                elif run["state"] == "RUNNING":
                    self._tasks(run, seen, began)  # first, as each of them stands aside for itself
                    self._drive(run, seen, began)
                elif running < self._settings.max_runs:
                    running += 1
                    self._next_driver(run, "")
        self._clean(seen)
        return busy

    @contextlib.contextmanager
    def _aside(self) -> Iterator[None]:
        """What the cluster does not do now is tried again in the next look; the rest of this one goes on."""
        try:
            yield
        except Unreachable as error:
            self._missed(error)

    def _missed(self, error: Unreachable) -> None:
        self._unanswered.append(str(error))
        print(f"pods: {error}", flush=True)

    # The driver of a run

    def _next_driver(self, run: sqlite3.Row, trouble: str) -> None:
        lives = run["lives"] + 1
        if lives > self._settings.driver_lives:
            runs.move(self._store, run["id"], "FAILED", f"the run's driver ended {run['lives']} times, last: {trouble}")
            return
        with self._store.write():
            self._store.update(
                "runs", run["id"], generation=run["generation"] + 1, made=0, lives=lives, trouble=trouble, seen=now()
            )
            runs.move(self._store, run["id"], "RUNNING")
        self._make_driver(runs.get(self._store, run["id"]))

    def _make_driver(self, run: sqlite3.Row) -> None:
        token = runs.token(self._store, "driver", run["id"], run["generation"])
        try:
            self._pods.create(manifests.driver(self._settings, run["id"], run["generation"], token))
        except Refused as refused:
            if refused.final or age(run["seen"]) > self._settings.quota_patience:
                runs.move(self._store, run["id"], "FAILED", f"the run's driver was refused: {refused.reason}")
            return
        self._store.update("runs", run["id"], made=1, seen=now())

    def _drive(self, run: sqlite3.Row, seen: dict[str, Seen], began: str) -> None:
        if not run["made"]:
            self._make_driver(run)
            return
        pod = seen.get(manifests.driver_name(run["id"], run["generation"]))
        if pod is None:
            if run["seen"] < began:
                self._next_driver(run, "its pod was deleted")
        elif pod.over:
            why = " ".join([pod.reason, pod.message, self._log(pod, 5)]).strip()
            self._next_driver(run, f"exit code {pod.exit_code}: {why}"[:1000])
        elif pod.phase == "Pending":
            if why := self._patience.hopeless(pod):
                self._pods.delete(pod.name, 0)
                runs.move(self._store, run["id"], "FAILED", f"the run's driver can't start: {why}")
            else:
                self._store.update("runs", run["id"], seen=now())  # it can say something once it runs
        elif age(max(run["seen"], self._since)) > self._settings.driver_lease:
            self._pods.delete(pod.name, 0)
            self._next_driver(run, f"it said nothing for {self._settings.driver_lease:g} s")

    # The tasks of a run

    def _tasks(self, run: sqlite3.Row, seen: dict[str, Seen], began: str) -> None:
        query = "select * from attempts where run = ? and state in ('WAITING', 'RUNNING') order by created, rowid"
        for attempt in self._store.rows(query, run["id"]):
            with self._aside():
                self._attempt(run, attempt, seen.get(attempt["pod"]), began)

    def _attempt(self, run: sqlite3.Row, attempt: sqlite3.Row, pod: Seen | None, began: str) -> None:
        if attempt["state"] == "WAITING":
            self._make_task(run, attempt)
        elif pod is None:
            if attempt["began"] < began:
                self._fail(attempt, "its pod was deleted before it ended")
        elif pod.over:
            self._artifacts.keep_log(attempt["id"], self._log(pod, 10_000))
            self._fail(attempt, _how_it_ended(pod))
        elif pod.stopping and age(pod.stopping) > _LOST:
            self._fail(attempt, "its node is lost")
        elif pod.phase == "Pending" and (why := self._patience.hopeless(pod)):
            self._pods.delete(pod.name, 0)
            self._fail(attempt, why)

    def _log(self, pod: Seen, lines: int) -> str:
        """The end of a pod's output; empty if it can't be had, as when its node is gone: it ended all the same."""
        with self._aside():
            return self._pods.log(pod.name, lines)
        return ""

    def _make_task(self, run: sqlite3.Row, attempt: sqlite3.Row) -> None:
        try:
            self._pods.create(self._task_pod(run, attempt))
        except Refused as refused:
            if refused.final or age(attempt["created"]) > self._settings.quota_patience:
                self._fail(attempt, f"its pod was refused: {refused.reason}")
            elif attempt["trouble"] != refused.reason:
                self._store.update("attempts", attempt["id"], trouble=refused.reason)
            return
        with self._store.write() as db:  # unless its launcher has reported before the cluster answered
            db.execute(
                "update attempts set state = 'RUNNING', began = ? where id = ? and state = 'WAITING'",
                (now(), attempt["id"]),
            )

    def _task_pod(self, run: sqlite3.Row, attempt: sqlite3.Row) -> dict[str, Any]:
        wanted, token = json.loads(attempt["wanted"]), runs.token(self._store, "task", attempt["id"])
        try:
            wanted["kubernetes"] = mounts.settled(wanted["kubernetes"], self._pods.secret)
            given = {**dict(attempt), "wanted": json.dumps(wanted)}
            return manifests.task(self._settings, run["id"], run["account"], given, token)
        except (AttributeError, KeyError, TypeError, ValueError) as error:  # what a pipeline says stops no other run
            raise Refused(f"its settings can't be read ({type(error).__name__}: {error})", final=True) from error

    def _fail(self, attempt: sqlite3.Row, why: str) -> None:
        with self._store.write() as db:  # unless its launcher has reported meanwhile
            db.execute(
                "update attempts set state = 'FAILED', ended = ?, error = ? "
                "where id = ? and state in ('WAITING', 'RUNNING')",
                (now(), why[:2000], attempt["id"]),
            )

    # Ends

    def _cancel(self, run: sqlite3.Row, seen: dict[str, Seen]) -> None:
        own = [pod for pod in seen.values() if pod.labels.get(manifests.RUN) == run["id"] and not pod.over]
        left = [pod for pod in own if not (pod.stopping and age(pod.stopping) > _LOST)]
        for pod in left:
            if not pod.stopping:
                self._pods.delete(pod.name, self._settings.kill_grace)
        if not left:
            runs.move(self._store, run["id"], "CANCELED")

    def _clean(self, seen: dict[str, Seen]) -> None:
        """Delete what nobody waits for any more, and finished pods when their time is over."""
        marks = ", ".join("?" * len(runs.ACTIVE))
        rows = self._store.rows(f"select id, generation from runs where state in ({marks})", *runs.ACTIVE)
        generation = {row["id"]: row["generation"] for row in rows}
        self._over = {name: since for name, since in self._over.items() if name in seen}
        self._patience.forget(seen)
        for pod in seen.values():
            run = pod.labels.get(manifests.RUN, "")
            if pod.stopping:
                continue
            if pod.over:
                since = self._over.setdefault(pod.name, time.monotonic())
                unneeded = time.monotonic() - since > self._settings.pod_ttl
            else:
                unneeded = self._superseded(pod, run, generation[run]) if run in generation else self._ended(run)
            if unneeded:
                with self._aside():
                    self._pods.delete(pod.name, 0)
        self._left = bool(seen)

    def _ended(self, run: str) -> bool:
        """Is the run over for so long that its driver and launchers have had time to end by themselves?"""
        finished = self._store.value("select finished from runs where id = ?", run)
        return finished is None or (finished != "" and age(finished) > _MANNERS)

    def _superseded(self, pod: Seen, run: str, generation: int) -> bool:
        """Has another pod of the same run, which goes on, taken its place?"""
        if pod.labels.get("app.kubernetes.io/component") == "driver":
            present = [manifests.driver_name(run, each) for each in (generation, generation + 1)]
            return pod.name not in present
        ended = self._store.value("select ended from attempts where id = ?", pod.labels.get(manifests.ATTEMPT, ""))
        return bool(ended) and age(ended) > _MANNERS


def _how_it_ended(pod: Seen) -> str:
    if pod.phase == "Succeeded":
        return "its container ended without storing its results"
    told = ": ".join(part for part in (pod.reason, pod.message) if part and part != "Error")
    return (
        f"exit code {pod.exit_code}" + (f" ({told})" if told else "") if pod.exit_code is not None else told or "lost"
    )
