"""Several labs verified side by side: a program of its own for each, so that one lab's end touches no other.

A lab whose figures need a quiet machine (`quiet` in its lab.toml) runs alone, and so does every lab's outage, which
pauses the API server that all share. A lab promises its figures for one check at a time, so what is not honest beside
other labs is done once more, alone; then it has to hold. What the environment kept from an end is done once more, too.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlops_lab.base.errors import LabError
from mlops_lab.engine import host
from mlops_lab.engine.docker import answering
from mlops_lab.labs.catalog import Exercise, about
from mlops_lab.proof.ledger import DISHONEST, ENVIRONMENT, Done
from mlops_lab.proof.verify import KINDS, restored

# The step of a lab whose verification did not get to its steps.
_WHOLE = "lab"
_BESIDE = tuple(kind for kind in KINDS if kind != "outage")
# s that an interrupted verification may take to clear away its namespace
_CLEARED_UP_WITHIN = 240.0


@dataclass
class Together:
    """Verifications side by side.

    Args:
        jobs: how many labs at once.
        words: options for each, such as `--once`.
        tell: gets each line that they print, with the lab's number.
        start: starts one; for tests.
        within: seconds after which no further lab is begun; one always is.
        takes: seconds that labs took before, by slug: one that would not end in time is not begun either.
        left: labs that were not begun for want of time.
    """

    jobs: int
    words: Sequence[str]
    tell: Callable[[str, str], None]
    start: Callable[[Sequence[str]], subprocess.Popen[str]] = field(default=lambda words: _start(words))
    within: float = float("inf")
    takes: Mapping[str, float] = field(default_factory=dict)
    left: list[Exercise] = field(default_factory=list)
    _end_at: float = float("inf")
    _begun: set[str] = field(default_factory=set)
    _running: set[subprocess.Popen[str]] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def verify(self, labs: Sequence[Exercise], only: Sequence[str], *, outage: bool) -> dict[str, list[Done]]:
        """Verify these labs; each step's result by lab, in the labs' order, without those that are `left`.

        Args:
            only: kinds of steps; none means all.
            outage: whether outages are wanted.
        """
        beside = [kind for kind in _BESIDE if not only or kind in only]
        found: dict[str, list[Done]] = {lab.slug: [] for lab in labs}
        quiet: dict[str, bool] = {}
        for lab in labs:
            try:
                quiet[lab.slug] = about(lab).quiet
            except LabError:  # its own verification says so
                quiet[lab.slug] = True
        self._end_at = time.monotonic() + self.within
        if beside:
            several, alone = ([lab for lab in labs if quiet[lab.slug] is each] for each in (False, True))
            # Where time may run out, the lab whose turn it is must not stand behind all that run side by side.
            if first := [lab for lab in alone[:1] if lab == labs[0] and self.within < float("inf")]:
                self._all(first, beside, 1, found)
            self._all(several, beside, self.jobs, found)
            crowd = min(self.jobs, len(several)) > 1
            self._again(several, beside, found, "beside other labs" if crowd else "")
            self._all([lab for lab in alone if lab not in first], beside, 1, found)
            self._again(alone, beside, found, "")
        if outage and (not only or "outage" in only):
            self._all([lab for lab in labs if lab not in self.left], ["outage"], 1, found)
        return {lab.slug: found[lab.slug] for lab in labs if lab not in self.left}

    def _all(
        self,
        labs: Sequence[Exercise],
        kinds: Sequence[str],
        at_once: int,
        found: dict[str, list[Done]],
        more: Sequence[str] = (),
    ) -> None:
        todo = list(labs)
        failed: list[BaseException] = []

        def work() -> None:
            while todo and not failed:
                with contextlib.suppress(IndexError):
                    lab = todo.pop(0)
                    if not self._in_time(lab):
                        self.left.append(lab)
                        continue
                    try:
                        found[lab.slug] += self._one(lab, kinds, more)
                    except BaseException as trouble:
                        failed.append(trouble)

        threads = [threading.Thread(target=work, daemon=True) for _ in range(min(at_once, len(todo)))]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                thread.join()
        except BaseException:
            todo.clear()
            self._end()
            raise
        if failed:
            raise failed[0]

    def _in_time(self, lab: Exercise) -> bool:
        """Is there time to begin this lab? What was begun goes on to its end, its outage and second try, too."""
        with self._lock:
            takes = self.takes.get(lab.slug, 0.0)
            if lab.slug not in self._begun and self._begun and time.monotonic() + takes > self._end_at:
                return False
            self._begun.add(lab.slug)
            return True

    def _again(
        self, labs: Sequence[Exercise], kinds: Sequence[str], found: dict[str, list[Done]], crowded: str
    ) -> None:
        """Do once more what was not honest in a crowd, or what failed for the environment's sake.

        What it was the first time stays to be read. A folder's form is the same at each time.

        Args:
            crowded: in what company the labs ran, in words; empty where each had the cluster for itself.
        """
        kinds = [kind for kind in kinds if kind != "form"]
        poor = {ENVIRONMENT, DISHONEST} if crowded else {ENVIRONMENT}
        company = f" {crowded}" if crowded else ""
        for lab in labs:
            before = {done.step: done for done in found[lab.slug] if done.outcome in poor and done.step != "form"}
            if not before or not kinds:
                continue
            reason = "since not honest" if crowded else "since the environment was at fault"
            self.tell(lab.number, f"once more, alone, {reason}{company}: {', '.join(before)}")
            again: dict[str, list[Done]] = {lab.slug: []}
            self._all([lab], kinds, 1, again, ["--resume"])
            after = {done.step: done for done in again[lab.slug]}
            for step in before.keys() & after.keys() - {_WHOLE}:
                first = before[step]
                when = f"alone;{company}" if crowded else "at a second try; at first"
                after[step].says += [f"{when} it was {first.outcome}: {'; '.join(first.says)}"]
            if _WHOLE in before and _WHOLE not in after:
                found[lab.slug] = [done for done in found[lab.slug] if done.step == "form"]
            known = {done.step for done in found[lab.slug]}
            found[lab.slug] = [after.get(done.step, done) for done in found[lab.slug]]
            found[lab.slug] += [done for step, done in after.items() if step not in known]

    def _one(self, lab: Exercise, kinds: Sequence[str], more: Sequence[str]) -> list[Done]:
        with tempfile.TemporaryDirectory(prefix="mlops-lab-") as folder:
            file = Path(folder) / "verify.json"
            only = [word for kind in kinds for word in ("--only", kind)]
            words = [*self.words, *(word for word in more if word not in self.words)]
            process = self.start(["verify", lab.slug, *words, *only, "--json", str(file)])
            with self._lock:
                self._running.add(process)
            last = trouble = ""
            assert process.stderr is not None
            for text in process.stderr:
                if text.strip():
                    last = text.rstrip()
                    trouble = last if last.startswith("lab: ") else trouble
                    self.tell(lab.number, last)
            process.wait()
            with self._lock:
                self._running.discard(process)
            try:
                (whole,) = json.loads(file.read_text())["labs"]
            except (OSError, ValueError):
                said = f"its verification ended with {process.returncode}: {trouble.removeprefix('lab: ') or last}"
                return [Done(_WHOLE, ENVIRONMENT, [said])]
            return [restored(step) for step in whole["steps"]]

    def _end(self) -> None:
        """Interrupt what runs, and wait until it has cleared up."""
        with self._lock:
            running = list(self._running)
        for process in running:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)  # a shell's background jobs ignore SIGINT, and so would theirs
        for process in running:
            try:
                process.wait(_CLEARED_UP_WITHIN)
            except subprocess.TimeoutExpired:
                process.kill()


def lanes() -> int:
    """How many labs side by side if nothing is said.

    One more than the engine's cores, since much of a check is waiting; at most 4, and one for each 2 GiB beyond the
    first 2, which cluster and platform take.
    """
    engine = answering(within=5)
    cores, memory = (engine.cpus, engine.memory) if engine else (os.cpu_count() or 1, host.memory())
    return int(max(1, min(cores + 1, 4, memory / 2**30 // 2 - 1)))


def options(*, once: bool, resume: bool) -> list[str]:
    """The options of one lab's verification."""
    chosen: dict[str, Any] = {"--once": once, "--resume": resume}
    return [word for word, wanted in chosen.items() if wanted]


def _start(words: Sequence[str]) -> subprocess.Popen[str]:
    # In a session of its own, so that a Ctrl-C is passed on once, by us. Its table is not shown: ours has all labs.
    return subprocess.Popen(
        [sys.executable, "-m", "mlops_lab.cli.main", *words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
