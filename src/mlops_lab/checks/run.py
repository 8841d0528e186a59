"""Running a lab's checks: their order, in parallel where they don't disturb each other, and the verdict of each.

The environment is checked before the first check and again after every failure: a failure on an unhealthy cluster is
reported as `error`, and costs no points. So is a failure in what depends on time while the machine was starved of CPU.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import traceback
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from mlops_lab.base.errors import Failure, LabError
from mlops_lab.checks.check import Check
from mlops_lab.checks.current import Running, printable, running
from mlops_lab.checks.lab import Lab
from mlops_lab.checks.trace import Trace
from mlops_lab.checks.verdicts import Result, Verdict

if TYPE_CHECKING:
    from mlops_lab.measure.cluster.starvation import Starvation

# No single check may take longer; it is the checker's own fault if one does.
CHECK_LIMIT = 600.0

Environment = Callable[[], Sequence[str]]


class Listener(Protocol):
    """Who wants to know while checks run."""

    def started(self, check: Check) -> None:
        """A check begins."""

    def waiting(self, check: Check, state: str, left: float) -> None:
        """A check waits: what it last saw, and the seconds that are left."""

    def finished(self, result: Result) -> None:
        """A check has its verdict."""


class Silent:
    """A listener that does nothing."""

    def started(self, check: Check) -> None: ...

    def waiting(self, check: Check, state: str, left: float) -> None: ...

    def finished(self, result: Result) -> None: ...


class _Turns:
    """Checks that own something run alone, in the order of their definition; all others run side by side."""

    def __init__(self, checks: Sequence[Check]) -> None:
        self._owners = [item for item in checks if item.owns]
        self._done = {item: asyncio.Event() for item in self._owners}
        self._shared = 0
        self._alone = False
        self._changed = asyncio.Condition()

    @contextlib.asynccontextmanager
    async def turn(self, item: Check) -> AsyncIterator[None]:
        if item.owns:
            for earlier in self._owners[: self._owners.index(item)]:
                await self._done[earlier].wait()
        async with self._changed:
            await self._changed.wait_for(lambda: not self._alone and (not item.owns or self._shared == 0))
            self._alone = bool(item.owns)
            self._shared += not item.owns
        try:
            yield
        finally:
            async with self._changed:
                self._alone = False
                self._shared -= not item.owns
                self._changed.notify_all()

    def over(self, item: Check) -> None:
        if item.owns:
            self._done[item].set()


class _Machine:
    """What runs the cluster: was it starved while a check measured?

    Args:
        watcher: None where nobody watches it.
        traces: of all checks of the run.
    """

    def __init__(self, watcher: Starvation | None, traces: Sequence[Trace]) -> None:
        self._watcher, self._traces = watcher, traces

    def watched(self) -> contextlib.AbstractContextManager[None]:
        return self._watcher.watched() if self._watcher else contextlib.nullcontext()

    async def starved(self, trace: Trace, timed: bool | None, began: float) -> str:
        """What a starved machine explains of a check's failure, in words; empty if nothing.

        Args:
            trace: the check's.
            timed: of what it saw: see `Observation`.
            began: when the check did.
        """
        parts = trace.whole()
        windows = [window for part in parts for window in part.timed]
        if timed and not windows:
            windows = [(min(began, *(part.began for part in parts[1:]), began), time.monotonic())]
        if self._watcher is None or timed is False or not windows:
            return ""
        ran_here = any(part.ran_here for each in self._traces for part in each.whole())
        try:
            return await asyncio.to_thread(self._watcher.why, windows, programs=ran_here)
        except LabError as trouble:
            return f"{trouble.message}; {trouble.hint}"
        except Exception as bug:
            return _bug(bug)


async def run_checks(
    lab: Any,
    checks: Sequence[Check],
    *,
    listener: Listener | None = None,
    environment: Environment | None = None,
    within: float | None = None,
) -> list[Result]:
    """Run checks and give each a verdict.

    Args:
        lab: what the check functions look through; passed to each.
        environment: says in words what is wrong with the cluster itself; empty when all is well.
        within: limit of the whole run in seconds; what has no verdict by then is `waiting`.

    Returns:
        One result for each check, in their order. Cancelling the run gives `waiting` too.
    """
    listener = listener or Silent()
    if problems := await _problems(environment):
        results = [_result(item, Verdict.ERROR, why="; ".join(problems)) for item in checks]
        for result in results:
            listener.finished(result)
        return results
    if isinstance(lab, Lab):
        lab.asked = frozenset(item.name for item in checks)
    turns = _Turns(checks)
    states = {item: Running(item, listener.waiting) for item in checks}
    tasks: dict[Check, asyncio.Task[Result]] = {}
    machine = _Machine(getattr(lab, "machine", None), [state.trace for state in states.values()])

    async def judged(item: Check) -> Result:
        try:
            # Needed checks are defined earlier, so their tasks exist by now.
            needed = [await asyncio.shield(tasks[each]) for each in item.needs if each in tasks]
            result = await _judge(item, lab, needed, turns, states[item], environment, listener, machine)
        except Exception as bug:  # what the others have earned stands
            result = _result(item, Verdict.ERROR, why=_bug(bug), evidence=tuple(traceback.format_exc().splitlines()))
        finally:
            turns.over(item)
        listener.finished(result)
        return result

    with machine.watched():
        for item in checks:
            tasks[item] = asyncio.create_task(judged(item), name=item.name)
        try:
            await asyncio.wait(tasks.values(), timeout=within)
        finally:
            unfinished = [task for task in tasks.values() if not task.done()]
            for task in unfinished:
                task.cancel()
            await asyncio.gather(*unfinished, return_exceptions=True)
    return [
        _result(item, Verdict.WAITING, seen=states[item].state, why=f"{states[item].left:.0f} s were left")
        if task.cancelled()
        else task.result()
        for item, task in tasks.items()
    ]


async def _judge(
    item: Check,
    lab: Any,
    needed: Sequence[Result],
    turns: _Turns,
    state: Running,
    environment: Environment | None,
    listener: Listener,
    machine: _Machine,
) -> Result:
    missing = [result for result in needed if result.verdict is not Verdict.PASS]
    if missing:
        # What rests on an environment that failed is not the learner's either.
        broken = any(result.verdict is Verdict.ERROR for result in missing)
        names = ", ".join(result.check for result in missing)
        return _result(
            item,
            Verdict.ERROR if broken else Verdict.BLOCKED,
            expected=item.title,
            why=f"it needs {names} to pass first",
        )
    async with turns.turn(item):
        listener.started(item)
        began = time.monotonic()
        timed: bool | None = None
        token = running.set(state)
        limit = asyncio.timeout(CHECK_LIMIT)
        try:
            async with limit:
                await item.run(lab)
            found = _result(item, Verdict.PASS, seen="; ".join(state.met))
        except Failure as failure:
            timed = getattr(failure, "timed", None)
            found = _result(
                item, Verdict.FAIL, failure.expected, failure.seen, failure.why, tuple(getattr(failure, "evidence", ()))
            )
        except LabError as trouble:
            found = _result(
                item,
                Verdict.ERROR,
                why=f"{trouble.message}; {trouble.hint}",
                evidence=tuple(trouble.detail.splitlines()),
            )
        except Exception as bug:
            if isinstance(bug, TimeoutError) and limit.expired():
                late = f"the check did not end within {CHECK_LIMIT:g} s"
                found = _result(item, Verdict.ERROR, seen=state.state, why=late)
            else:
                found = _result(item, Verdict.ERROR, why=_bug(bug), evidence=tuple(traceback.format_exc().splitlines()))
        finally:
            running.reset(token)
        seconds = time.monotonic() - began
        if found.verdict is Verdict.FAIL and (
            why := await _unwell(environment) or await machine.starved(state.trace, timed, began)
        ):
            found = _result(item, Verdict.ERROR, found.expected, found.seen, why)
    trace = await _told(lab, state.trace) if found.verdict is Verdict.FAIL else {}
    return replace(found, seconds=round(seconds, 3), waited=round(state.waited, 3), trace=trace, seed=state.trace.seed)


async def _told(lab: Any, trace: Trace) -> dict[str, Any]:
    """A failed check's trace, with the events of the objects that it looked at."""
    try:
        events = await lab.objects.recent_events(trace.names()) if isinstance(lab, Lab) else []
    except Exception:
        events = []  # they explain; the verdict stands without them
    return {**trace.plain(), "events": events}


async def _unwell(environment: Environment | None) -> str:
    problems = await _problems(environment)
    return "the cluster itself is not well: " + "; ".join(problems) if problems else ""


async def _problems(environment: Environment | None) -> list[str]:
    if environment is None:
        return []
    try:
        return list(await asyncio.to_thread(environment))
    except LabError as trouble:
        return [f"{trouble.message}; {trouble.hint}"]
    except Exception as bug:
        return [_bug(bug)]


def _bug(bug: Exception) -> str:
    where = traceback.extract_tb(bug.__traceback__)[-1:]
    at = "".join(f" ({Path(each.filename).name}, line {each.lineno})" for each in where)
    return f"the checker itself failed: {type(bug).__name__}: {bug}{at}"


def _result(
    item: Check,
    verdict: Verdict,
    expected: str = "",
    seen: str = "",
    why: str = "",
    evidence: tuple[str, ...] = (),
) -> Result:
    expected, seen, why = printable(expected), printable(seen), printable(why)
    shown = tuple(map(printable, evidence))
    return Result(item.name, item.title, verdict, item.points, item.domains, expected, seen, why, shown)
