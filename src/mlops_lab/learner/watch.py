"""`lab watch`: checks run again whenever something changes, and the newest verdict of each is shown.

Quick checks (those that own no service) run again after every change. Checks that send load run when all quick ones
pass and nothing has changed for a few seconds, or on request, with the quick ones in one round; in a lab without quick
checks they begin at once. After that only a new specification or file starts them again, since their own load changes
objects, or that they ended in an error. If the learner changes something while they run, all checks start again.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence

from mlops_lab.checks.check import Check
from mlops_lab.checks.lab import Lab
from mlops_lab.checks.run import Environment, run_checks
from mlops_lab.checks.verdicts import Result, Verdict
from mlops_lab.labs.rows import Rows, View
from mlops_lab.labs.running import threads
from mlops_lab.learner.changes import Change

# Changes come in bursts: a round begins after this many seconds without one, but not later than the second number.
_SETTLE = 0.3
_SETTLE_AT_MOST = 0.6
# Load begins after this many quiet seconds, so that quick checks report first.
_QUIET = 3.0
# Checks in error are tried again, as nothing in the lab changes when the environment recovers; loads less often.
_TROUBLE_EVERY = 5.0
_LOAD_AGAIN = 30.0
_ASK_EVERY = 0.5  # s between two tries to hold the lab, which another command has
# By then the last events that a round caused itself have arrived.
_AFTERMATH = 1.0


class Watch:
    """One `lab watch`.

    Args:
        make_lab: a new `lab` object for each round.
        fingerprint: what the learner made, as of now; see `Changes.fingerprint`.
        whole: called with all results once every check has a verdict on the same state; not if there are errors in a
            round that only tried those of the last one again.
        hold: holds the lab for a round, as `labs.held.held_now` does; between rounds others may have it.
    """

    def __init__(
        self,
        checks: Sequence[Check],
        make_lab: Callable[[], Lab],
        environment: Environment,
        fingerprint: Callable[[], str],
        view: View,
        whole: Callable[[list[Result]], None] = lambda results: None,
        hold: Callable[[], contextlib.AbstractContextManager[str]] = lambda: contextlib.nullcontext(""),
    ) -> None:
        self._rows = Rows(checks, view)
        self._checks = list(checks)
        self._quick = [item for item in checks if not _loads(item)]
        self._loading = [item for item in checks if _loads(item)]
        self._make_lab = make_lab
        self._environment = environment
        self._fingerprint = fingerprint
        self._whole = whole
        self._hold = hold
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake = asyncio.Event()
        self._dirty = True
        self._forced = self._retry = False
        self._work_changed = False
        self._news = ""
        self._lab: Lab | None = None
        self._first_change = self._last_change = time.monotonic()
        self._loaded_for: str | None = None
        self._load_again_at = 0.0  # of a load that has ended in an error; else 0

    def notify(self, change: Change) -> None:
        """Something changed; may be called from any thread."""
        self._call(self._on_change, change)

    def again(self) -> None:
        """Run everything again, load and all; may be called from any thread."""
        self._call(self._on_again)

    def results(self) -> list[Result]:
        """The newest result of each check."""
        return self._rows.results()

    async def follow(self) -> None:
        """Run rounds until cancelled."""
        self._loop = asyncio.get_running_loop()
        self._loop.set_default_executor(threads())
        while True:
            self._wake.clear()
            if self._dirty:
                self._rows.say(self._news)
                await self._settled()
                retry = self._retry
                self._dirty, self._retry, self._news = False, False, ""
                if self._forced and self._loading:
                    await self._load(self._checks)
                    continue
                self._forced = False
                await self._round(self._quick, lambda: self._dirty)
                if not self._loading and not self._dirty and not (retry and self._in_error(self._quick)):
                    self._complete()
            elif self._loading and self._quick_pass() and self._loaded_for != self._fingerprint():
                begin = max(self._last_change + (_QUIET if self._quick else 0), self._load_again_at)
                if (left := begin - time.monotonic()) <= 0:
                    await self._load(self._loading)
                else:
                    self._rows.say(f"load starts in {left:.0f} s if nothing changes")
                    await self._woken(min(1.0, left))
            else:
                self._rows.say("waiting for a change")
                if not await self._woken(_TROUBLE_EVERY if self._in_error(self._quick) else None):
                    self._dirty = self._retry = True

    async def _load(self, checks: Sequence[Check]) -> None:
        """A round with loads. What else it has is what these need, which blocks them if it does not pass."""
        forced, self._forced, self._work_changed = self._forced, False, False
        if not await self._round(checks, lambda: self._work_changed or self._forced):
            self._forced = self._forced or (forced and not self._work_changed)  # it could not begin
            return
        await self._aftermath()
        if self._work_changed:
            return
        retry, error = self._load_again_at > 0, self._in_error(self._loading)
        self._load_again_at = time.monotonic() + _LOAD_AGAIN if error else 0.0
        if self._quick_pass() and not error:
            self._loaded_for = self._fingerprint()
        if not (retry and error):
            self._complete()

    async def _round(self, checks: Sequence[Check], stop: Callable[[], bool]) -> bool:
        """Run some checks; False when `stop` held before they were done."""
        if not checks:
            return True
        async with self._held(stop) as held:
            return held and await self._run(checks, stop)

    @contextlib.asynccontextmanager
    async def _held(self, stop: Callable[[], bool]) -> AsyncIterator[bool]:
        """Hold the lab; False if there was a change first: another command works on it, so that is no wonder."""
        while True:
            self._wake.clear()
            with self._hold() as who:
                if not who:
                    yield True
                    return
            if stop() or self._dirty:
                yield False
                return
            self._rows.say(f"waiting until {who} has done its work on this lab")
            await self._woken(_ASK_EVERY)

    async def _run(self, checks: Sequence[Check], stop: Callable[[], bool]) -> bool:
        self._rows.say("checking")
        lab = self._lab = self._make_lab()
        task = asyncio.create_task(run_checks(lab, checks, listener=self._rows, environment=self._environment))
        try:
            while not task.done():
                self._wake.clear()
                if stop():
                    return False
                waker = asyncio.create_task(self._wake.wait())
                await asyncio.wait({task, waker}, return_when=asyncio.FIRST_COMPLETED)
                waker.cancel()
            task.result()
            return True
        finally:
            if not task.done():
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
            await lab.end()
            self._rows.at_rest(checks)

    def _complete(self) -> None:
        results = self.results()
        if all(result.verdict is not Verdict.WAITING for result in results):
            self._whole(results)

    async def _settled(self) -> None:
        """Wait until a burst of changes is over."""
        while True:
            now = time.monotonic()
            rest = min(self._last_change + _SETTLE, self._first_change + _SETTLE_AT_MOST) - now
            if rest <= 0:
                return
            await asyncio.sleep(rest)

    async def _aftermath(self) -> None:
        """Let the last events of what a round did itself come in, unless the learner changes something."""
        end = time.monotonic() + _AFTERMATH
        while not self._work_changed and (left := end - time.monotonic()) > 0:
            self._wake.clear()
            await self._woken(left)

    async def _woken(self, within: float | None) -> bool:
        """Wait for something new; False when the time ran out."""
        try:
            async with asyncio.timeout(within):
                await self._wake.wait()
            return True
        except TimeoutError:
            return False

    def _in_error(self, checks: Sequence[Check]) -> bool:
        results = [self._rows[item].result for item in checks]
        return any(result is not None and result.verdict is Verdict.ERROR for result in results)

    def _quick_pass(self) -> bool:
        results = [self._rows[item].result for item in self._quick]
        return all(result is not None and result.verdict is Verdict.PASS for result in results)

    def _call(self, function: Callable[..., None], *arguments: object) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function, *arguments)

    def _on_change(self, change: Change) -> None:
        now = time.monotonic()
        if not self._dirty:
            self._first_change = now
        self._last_change = now
        self._dirty, self._retry = True, False
        self._news = f"{change.what} changed"
        if change.is_file or (change.by_hand and not (self._lab and self._lab.work.runs_program)):
            self._work_changed = True
            self._loaded_for, self._load_again_at = None, 0.0
        self._wake.set()

    def _on_again(self) -> None:
        self._dirty, self._retry, self._forced = True, False, True
        self._loaded_for, self._load_again_at = None, 0.0
        self._wake.set()


def _loads(item: Check) -> bool:
    """Does it send load, or need a check that does?"""
    return bool(item.owns) or any(_loads(needed) for needed in item.needs)
