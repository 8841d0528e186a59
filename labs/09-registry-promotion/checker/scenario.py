"""What lab 09 plays once: a run is promoted, a broken one refused, a third one promoted and rolled back, under load.

And then a fourth one is promoted and rolled back, too. At last a rollback is tried while a pod does not reach MLflow,
and a promotion while another one does not. Between the first two, and before the fourth, the checker moves the alias by
hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from mlops_lab.checks import Lab, Observation, absent, equal_to, observe
from mlops_lab.checks.rooms.work import Command
from mlops_lab.kit.losses import none_lost
from mlops_lab.kit.registry import PRODUCTION, in_production
from mlops_lab.kube.client import Object
from mlops_lab.measure.traffic.report import LoadReport

from .as_found import back_as_found, found
from .cut_off import one_cut_off
from .models import Candidates, Run, answers, by_all_pods, candidates, first_values, flights, right
from .prepared import all_there, another_version, more_versions, one_more_pod

RATE = 20  # requests a second
LATE = 1.0  # s that requests may leave late while models load on a small machine: failures are counted, no latencies
BEFORE, AFTER = 3, 5  # s of load before a program is called and after its end
WITHIN = 60  # s for one call of a program
FOLLOW_WITHIN = 60  # s for the pods to follow the alias
MARGIN = 0.2  # s after a program's end in which answers may have been under way, or clocks apart
NOT_MOVED = absent("the pods follow the alias", "it did not come to that")
NOT_TRIED = absent("./promote with a run that has no model", "it did not come to that")
UNSEEN = absent("a rollback", "it did not come to that")
NOT_CUT_OFF = "not tried: this cluster's network does not cut a pod off"


@dataclass(frozen=True)
class Promotion:
    """What the promotion of the next run brought about; `version` is what the alias means then.

    `before` are the versions that there were when it began.
    """

    run: Run
    exited: Observation
    served: Observation
    right: Observation
    follows: Observation
    unharmed: Observation
    statuses: Mapping[int, int]
    version: Object
    before: frozenset[str]


@dataclass(frozen=True)
class Refusal:
    """What the try with the broken run brought about, and then one with a run that has no model.

    `follows`: whether the pods follow the alias afterwards, which the checker moves to the version of `promoted` again.
    """

    unharmed: Observation
    exited: Observation
    alias: Observation
    served: Observation
    without: Observation = NOT_TRIED
    follows: Observation = NOT_MOVED

    @property
    def well(self) -> bool:
        """Whether all was as asked."""
        return all(
            each.ok for each in (self.unharmed, self.exited, self.alias, self.served, self.without, self.follows)
        )


@dataclass(frozen=True)
class Rollback:
    """What one more run's promotion, and then the rollback, brought about; only `again` if the first one failed.

    `next_time` is what a promotion and a rollback after that brought about, if all was well so far, and `everywhere`
    what came of a rollback, and then of a promotion, that one pod could not follow.
    """

    again: Observation
    exited: Observation = UNSEEN
    served: Observation = UNSEEN
    same: Observation = UNSEEN
    unharmed: Observation = UNSEEN
    statuses: Mapping[int, int] = field(default_factory=dict)
    next_time: Observation = UNSEEN
    everywhere: Observation = UNSEEN


@dataclass(frozen=True)
class Call:
    """One call of a program under load; times in seconds on the load's clock."""

    command: Command
    report: LoadReport
    ended: float
    over: float

    def versions(self, begin: float, end: float) -> set[str]:
        """The versions that the answers of these seconds name."""
        return set(self.report.window(begin, end).labels) - {""}

    def after(self) -> set[str]:
        """The versions of the answers after the program's end."""
        return self.versions(self.ended + MARGIN, self.over)


def exited(command: Command, words: str, *, well: bool = True) -> Observation:
    """Whether a program ended by itself with the exit code that is due."""
    wanted = f"{words}: {'exit code 0' if well else 'an exit code other than 0'} within {WITHIN} s"
    return command.observed(command.code == 0 if well else command.code not in (0, None), wanted)


async def promoted(lab: Lab) -> Promotion:
    """Let the program promote a run under load; if anything was not as asked, put all back."""
    was, step = await lab.once(found), None
    try:
        await more_versions(lab, was.first)
        async with one_more_pod(lab, was.deployment):
            run = (await lab.once(candidates)).next
        before = await registered(lab)
        call = await under_load(lab, "promote", run.run_id)
        version = await in_production(lab)
        number = str(version.get("version"))
        answered = await answers(lab) if call.command.code == 0 else []
        begun, after = call.versions(0, BEFORE), call.after()
        served = Observation(
            begun == {was.first} and number != was.first and after == {number},
            f"answers of version {was.first}, then of another; after ./promote's end of that one alone",
            f"{', '.join(sorted(begun)) or 'none'} at first, {', '.join(sorted(after)) or 'none'} after its "
            f"end; the alias means version {number}",
            evidence=tuple(call.command.output.splitlines()[-5:]),
        )
        ended, own = exited(call.command, f"./promote with the run {run.name}"), right(answered, number, run.values)
        well = ended.ok and served.ok and own.ok
        step = Promotion(
            run, ended, served, own, await moved_to(lab, was.first) if well else NOT_MOVED,
            none_lost(call.report), call.report.statuses, version, before,
        )  # fmt: skip
        return step
    finally:
        if not (step and well and step.follows.ok and step.unharmed.ok):
            await back_as_found(lab)


async def registered(lab: Lab) -> frozenset[str]:
    """The versions that there are."""
    return frozenset(str(each["version"]) for each in await lab.platform.mlflow.versions())


async def moved_to(lab: Lab, version: str) -> Observation:
    """Move the alias to a version, and wait until all pods answer with that."""
    await lab.platform.mlflow.set_alias(PRODUCTION, version)
    return await lab.time.eventually(
        lambda: by_all_pods(lab),
        lambda said: all(number == version for number, _ in said),
        expected=f"answers of version {version} alone, {FOLLOW_WITHIN} s after the alias was moved there",
        shown=lambda said: f"of version {', '.join(sorted({number or 'none' for number, _ in said}))}",
        within=FOLLOW_WITHIN,
    )


async def refused(lab: Lab) -> Refusal:
    """Let the program try the broken run under load; if anything was not as asked, put all back.

    In production is the version that the story began with: the checker itself has moved the alias there.
    """
    new, models = str((await lab.once(promoted)).version["version"]), await lab.once(candidates)
    good, step = (await lab.once(found)).first, None
    try:
        call = await under_load(lab, "promote", models.broken.run_id)
        number = str((await in_production(lab)).get("version"))
        seen = set(call.report.labels) - {""}
        step = Refusal(
            none_lost(call.report),
            exited(call.command, f"./promote with the run {models.broken.name}", well=False),
            observe(f"version that the alias {PRODUCTION} means", number, equal_to(good)),
            observe("versions of the answers", ", ".join(sorted(seen)), equal_to(good)),
        )
        if step.unharmed.ok and step.exited.ok and step.alias.ok and step.served.ok:
            step = replace(step, without=await nothing_promoted(lab, models.bare, good))
        if step.without.ok:
            step = replace(step, follows=await moved_to(lab, new))
        return step
    finally:
        if not (step and step.well):
            await back_as_found(lab)


async def nothing_promoted(lab: Lab, bare: Run, good: str) -> Observation:
    """Let the program try a run that has logged no model: it ends with another code than 0, and the alias stays."""
    ended = exited(
        await called(lab, "promote", bare.run_id), f"./promote with {bare.name}, which has no model", well=False
    )
    return await unmoved(lab, ended, good)


async def unmoved(lab: Lab, ended: Observation, version: str) -> Observation:
    """A program ended as it should, and the alias means this version."""
    if not ended.ok:
        return ended
    number = str((await in_production(lab)).get("version"))
    return replace(
        ended, ok=number == version, expected=f"{ended.expected}; the alias means version {version}",
        seen=f"{ended.seen}; it means {number}",
    )  # fmt: skip


async def rolled_back(lab: Lab) -> Rollback:
    """Let one more run be promoted, the broken one refused again, then roll back under load; put all back."""
    models = await lab.once(candidates)
    first, more = models.next, models.more
    good = str((await lab.once(promoted)).version["version"])
    await lab.once(refused)
    try:
        again = exited(await called(lab, "promote", more.run_id), f"./promote with the run {more.name}")
        if not again.ok:
            return Rollback(again)
        # What is refused is never in production: it is not what a rollback goes back from, or to. And what was in
        # production before is another version now than the one to go back to: those were the same one at first.
        serving = str((await in_production(lab)).get("version"))
        refusal = await called(lab, "promote", models.broken.run_id)
        once_more = await unmoved(
            lab, exited(refusal, f"./promote with the run {models.broken.name}", well=False), serving
        )
        if not once_more.ok:
            return Rollback(once_more)
        versions = await registered(lab)
        now = str((await in_production(lab)).get("version"))
        call = await under_load(lab, "rollback")
        number = str((await in_production(lab)).get("version"))
        there = await registered(lab)
        made, removed = len(there - versions), sorted(versions - there, key=int)
        after = call.after()
        # A copy of the model has another number, and its values: then `same` tells, not `served`.
        copied = made > 0 and after == {number} and right(await answers(lab), number, first.values).ok
        served = Observation(
            copied or (after == {good} and right(await answers(lab), good, first.values).ok),
            f"answers of version {good} ({first.name}) alone after ./rollback's end, with its values",
            f"of version {', '.join(sorted(after)) or 'none'}; {more.name} is version {now}, the alias means {number}",
        )
        same = Observation(
            number == good and there == versions,
            f"the alias {PRODUCTION} means version {good}, and no version is made or removed",
            f"it means {number if number != 'None' else 'none'}; versions made: {made}, "
            f"removed: {', '.join(removed) or 'none'}",
        )
        ended, unharmed = exited(call.command, "./rollback"), none_lost(call.report)
        well = ended.ok and served.ok and same.ok and unharmed.ok
        later = await next_time(lab, models) if well else UNSEEN
        return Rollback(
            again, ended, served, same, unharmed, call.report.statuses, later,
            await everywhere(lab, models) if later.ok else UNSEEN,
        )  # fmt: skip
    finally:
        await back_as_found(lab)


async def next_time(lab: Lab, models: Candidates) -> Observation:
    """Move the alias by hand, let the last run be promoted, and roll back to where the hand had put it."""
    last, was, step = models.last, await lab.once(found), await lab.once(promoted)
    if not (there := await all_there(lab, step.before, str(step.version["version"]))).ok:
        return there
    other = await another_version(lab, was.first, was.versions)
    moved = await moved_to(lab, other)
    if not moved.ok:
        return moved
    for words, what in (
        (("promote", last.run_id), f"./promote with the run {last.name} after the alias was moved by hand"),
        (("rollback",), "./rollback after that"),
    ):
        ended = exited(await called(lab, *words), what)
        if not ended.ok:
            return ended
    number, said = str((await in_production(lab)).get("version")), await by_all_pods(lab)
    seen = ", ".join(sorted({version or "none" for version, _ in said}))
    return Observation(
        number == other and right(said, other, await lab.once(first_values)).ok,
        f"version {other}, where the alias was moved by hand before the last promotion, again, with its values",
        f"answers of version {seen}; the alias means {number}",
    )


async def everywhere(lab: Lab, models: Candidates) -> Observation:
    """Let the programs try a rollback that one of the pods can't follow, and then a promotion that it can't.

    Who brings it to serve all the same is right.
    """
    before, extra = str((await in_production(lab)).get("version")), models.extra
    ended = exited(await called(lab, "promote", extra.run_id), f"./promote with the run {extra.name}")
    if not ended.ok:
        return ended
    back = await no_false_rollback(lab, before)
    return await no_false_promotion(lab, models.last) if back.ok else back


async def no_false_rollback(lab: Lab, before: str) -> Observation:
    """Whether `./rollback` says that it brought back a version which one of the pods can't get."""
    expected = (
        f"while a pod does not reach MLflow, ./rollback ends within {WITHIN} s, with exit code 0 only if every pod "
        f"serves version {before}"
    )
    async with one_cut_off(lab) as shut:
        if not shut:
            return Observation(True, expected, NOT_CUT_OFF)
        command = await called(lab, "rollback")
        if command.code != 0:
            return command.observed(command.code is not None, expected)
        number = str((await in_production(lab)).get("version"))
        return await by_every_pod(lab, command, number, expected, number == before)


async def no_false_promotion(lab: Lab, run: Run) -> Observation:
    """Whether `./promote` says that a run serves, or leaves the alias on it, though one of the pods can't get it."""
    was = str((await in_production(lab)).get("version"))
    expected = (
        f"while a pod does not reach MLflow, ./promote ends within {WITHIN} s, with exit code 0 only if every pod "
        f"serves the new version; else the alias means version {was} again"
    )
    async with one_cut_off(lab) as shut:
        if not shut:
            return Observation(True, expected, NOT_CUT_OFF)
        command = await called(lab, "promote", run.run_id)
        number = str((await in_production(lab)).get("version"))
        if command.code == 0:
            return await by_every_pod(lab, command, number, expected, number != was)
        seen = command.observed(command.code is not None and number == was, expected)
        return replace(seen, seen=f"{seen.seen}; the alias means {number}", value=number)


async def by_every_pod(lab: Lab, command: Command, number: str, expected: str, meant: bool) -> Observation:
    """Whether a program that had exit code 0 was right: all answers are of the version that was to serve.

    Args:
        number: of the version that the alias means.
        meant: it is one that the program was to bring.
    """
    said = {version for version, _ in await by_all_pods(lab)}
    seen = command.observed(meant and said == {number}, expected)
    versions = ", ".join(sorted(version or "none" for version in said))
    return replace(seen, seen=f"{seen.seen}; the alias means {number}, and answers are of version {versions}")


async def called(lab: Lab, *words: str) -> Command:
    """Call a program of the learner's, which finds MLflow at an address of this machine."""
    address = await lab.platform.address("mlflow")
    return await lab.work.command(*words, within=WITHIN, env={"MLFLOW_TRACKING_URI": address}, cluster=True)


async def under_load(lab: Lab, *words: str) -> Call:
    """Call a program of the learner's while requests come in."""
    body, whole = {"rows": flights(lab)[:1]}, BEFORE + WITHIN + AFTER + 5
    async with lab.traffic.load("model", rate=RATE, duration=whole, body=body, late_at_most=LATE) as load:
        await lab.time.pause(BEFORE)
        command = await called(lab, *words)
        ended = load.elapsed
        await lab.time.pause(AFTER)
        over = load.elapsed
    return Call(command, load.report, ended, over)
