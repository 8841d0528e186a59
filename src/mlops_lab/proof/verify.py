"""`lab verify`: is a lab honest? Its gates, step by step on a stage, each step kept when it is done.

The steps: the folder's form; an untouched start scores nothing, nor does what the learner begins with, applied as it
is; each solution gets full marks twice from fresh, and after the second time a reset leaves nothing but the seed; each
mistake fails exactly its check; with the API server paused there is no verdict but `error`.
"""

from __future__ import annotations

import contextlib
import difflib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.base.paths import project
from mlops_lab.checks.check import Check
from mlops_lab.checks.verdicts import Result, Verdict
from mlops_lab.labs.catalog import Exercise
from mlops_lab.labs.checker import checks
from mlops_lab.labs.description import describe
from mlops_lab.labs.variants import NotApplied, Variant, begun, readable
from mlops_lab.proof import form, gates, leftovers, page, proofs
from mlops_lab.proof.content import content_of
from mlops_lab.proof.ledger import DISHONEST, ENVIRONMENT, HONEST, Done, Ledger
from mlops_lab.proof.stage import Stage

KINDS = ("form", "start", "solutions", "wrong", "reset", "outage")
# The step in which a learner applies what is there and changes nothing.
APPLIED = "start, applied"
_HEALTHY_WITHIN = 180.0
# Deletion goes on after a reset: volumes and the like may take a moment more.
_SETTLED_WITHIN = 30.0


@dataclass(frozen=True)
class Step:
    """One step.

    Attributes:
        name: what the report calls it.
        kinds: the kinds (`--only`) that it belongs to.
        of: the variant that it proves, such as `wrong/CHECK--mistake` (`--variant`); empty if it proves none.
        variant: what is put to work in it, if anything.
        broken: what is wrong with a variant that cannot be read.
        may_earn: checks that pass all the same where nothing was changed, as the lab says of itself.
    """

    name: str
    kinds: tuple[str, ...]
    of: str = ""
    variant: Variant | None = None
    broken: str = ""
    may_earn: tuple[str, ...] = ()


def steps(
    exercise: Exercise,
    its_checks: Sequence[Check] = (),
    *,
    once: bool = False,
    only: Sequence[str] = (),
    of: Sequence[str] = (),
) -> list[Step]:
    """The steps of a lab's verification.

    Args:
        its_checks: the lab's checks, in their order; for the short form only.
        once: the short form: the first solution once, and one mistake: that which fails the earliest check.
        only: kinds of steps; none means all.
        of: variants, such as `wrong/CHECK--mistake`; none means all steps, also those that prove no variant.

    Raises:
        UsageError: the lab has no such variant, or has none of these kinds.
    """
    found = [Step("form", ("form",)), Step("start", ("start",))]
    if not once and (applied := begun(exercise)):
        found.append(Step(APPLIED, ("start",), variant=applied, may_earn=_earned_at_once(exercise)))
    (ways, bad_ways), (mistakes, bad_mistakes) = readable(exercise, "solution"), readable(exercise, "wrong")
    if once:
        order = [item.name for item in its_checks]
        early = sorted(mistakes, key=lambda each: order.index(each.check) if each.check in order else len(order))
        ways, mistakes = ways[:1], early[:1]
    for variant in ways:
        name = f"solution/{variant.name}"
        if not once:
            found.append(Step(f"solution {variant.name}", ("solutions",), name, variant))
        found.append(Step(f"solution {variant.name}, then reset", ("solutions", "reset"), name, variant))
    found += _broken("solution", "solutions", bad_ways)
    found += [Step(f"wrong {variant.name}", ("wrong",), f"wrong/{variant.name}", variant) for variant in mistakes]
    found += _broken("wrong", "wrong", bad_mistakes)
    found += [] if once else [Step("outage", ("outage",), variant=next(iter(ways), None))]
    return _chosen(found, only, of)


def _earned_at_once(exercise: Exercise) -> tuple[str, ...]:
    try:
        return tuple(describe(exercise.folder / "lab.toml").start_earns)
    except LabError:  # its form says so
        return ()


def _broken(kind: str, option: str, wrong: Mapping[str, LabError]) -> list[Step]:
    return [
        Step(f"{kind} {name}", (option,), f"{kind}/{name}", broken=f"{error.message}; {error.hint}")
        for name, error in wrong.items()
    ]


def _chosen(found: Sequence[Step], only: Sequence[str], of: Sequence[str]) -> list[Step]:
    """The steps that options leave."""
    known = list(dict.fromkeys(step.of for step in found if step.of))
    for name in of:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3, cutoff=0.5) or known
            raise UsageError(f"there is no variant {name!r} here", f"there is {', '.join(near) or 'none at all'}")
    left = [
        step for step in found if (not only or set(only) & set(step.kinds)) and (not of or step.of in of)
    ]  # fmt: skip
    if of and not left:
        raise UsageError(f"{', '.join(of)}: that is none of {', '.join(only)}", "leave out --only, or --variant")
    return left


def verify(
    exercise: Exercise,
    make_stage: Callable[[Exercise, list[Check]], Stage],
    ledger: Ledger,
    *,
    once: bool = False,
    only: Sequence[str] = (),
    of: Sequence[str] = (),
    resume: bool = False,
    tell: Callable[[Step, Done | None, int, int], None] = lambda step, done, number, of: None,
) -> list[Done]:
    """Verify one lab; every step that is asked for is done, whatever the one before found. What is proved then is
    written down beside the lab, too.

    Args:
        make_stage: yields the stage for a lab and its checks; asked once, before the first step that needs a cluster.
        once, only, of: which steps, as `steps` has them.
        resume: skip steps that were honest with the same content.
        tell: called when a step begins (None) and ends, with its number and how many there are.

    Raises:
        LabError: there is no stage, or the lab cannot be read at all.
        UsageError: as `steps`.
    """
    content = content_of(exercise)
    key = content.key
    its_checks = checks(exercise)
    wanted = steps(exercise, its_checks, once=once, only=only, of=of)
    whole = [step.name for step in steps(exercise)]
    short = [step.name for step in steps(exercise, its_checks, once=True)]
    known = ledger.steps(exercise.slug, key) if resume else {}
    if not resume:
        ledger.forget(exercise.slug, key, [step.name for step in wanted])
    todo = [step for step in wanted if known.get(step.name, {}).get("outcome") != HONEST]
    found = {step.name: restored(known[step.name]) for step in wanted if step not in todo}
    stage: Stage | None = None
    try:
        for step in todo:
            number = wanted.index(step) + 1
            tell(step, None, number, len(wanted))
            if step.name == "form":
                done = look_at_form(exercise, its_checks)
            elif step.broken:
                done = Done(step.name, DISHONEST, [step.broken], at=_now())
            else:
                stage = stage or make_stage(exercise, its_checks)
                done = perform(step, its_checks, stage)
            ledger.keep(exercise.slug, key, done, wanted=whole)
            found[step.name] = done
            tell(step, done, number, len(wanted))
    finally:
        try:
            if stage is not None:
                stage.clear()
        finally:
            forms = {proofs.WHOLE: whole, proofs.SHORT: short}
            kept = proofs.keep(exercise, ledger.steps(exercise.slug, key), content, forms)
            if kept and exercise.folder.parent == project() / "labs":
                page.write()
    return [found[step.name] for step in wanted]


def look_at_form(exercise: Exercise, its_checks: Sequence[Check]) -> Done:
    """The step that needs no cluster: is the folder whole, and does it keep its solution to itself?"""
    said = form.complaints(exercise, its_checks)
    return Done("form", DISHONEST if said else HONEST, said, at=_now())


def perform(step: Step, its_checks: Sequence[Check], stage: Stage) -> Done:
    """Do one step; trouble with the environment is waited out and tried once more, then reported as such."""
    began, at = time.monotonic(), _now()
    for attempt in (1, 2):
        try:
            said, results = _look(step, its_checks, stage)
            trouble = [] if step.name == "outage" else gates.troubled(results)
        except LabError as error:
            said, results = [], []
            trouble = [f"{error.message}; {error.hint}", *error.detail.splitlines()]
        if not trouble or attempt == 2:
            break
        if problems := stage.healthy(_HEALTHY_WITHIN):
            trouble += problems
            break
    outcome = ENVIRONMENT if trouble else DISHONEST if said else HONEST
    return Done(step.name, outcome, trouble or said, list(results), round(time.monotonic() - began, 1), at)


def _look(step: Step, its_checks: Sequence[Check], stage: Stage) -> tuple[list[str], list[Result]]:
    """One attempt at a step: complaints and results."""
    stage.fresh()
    if "start" in step.kinds:
        if step.variant is not None:
            # kubectl may refuse a file that the learner is to complete: then the others are at work, or nothing is.
            with contextlib.suppress(NotApplied):
                stage.work(step.variant)
        results = stage.checked()
        said = gates.applied(results, step.may_earn) if step.variant else gates.untouched(results)
        return said, results
    if step.variant is None:
        return ["there is no solution to do this with"], []
    before = stage.objects() if "reset" in step.kinds else []
    stage.work(step.variant)
    if step.name == "outage":
        return _outage(stage)
    results = stage.checked(step.variant.check)
    if step.variant.kind == "wrong":
        return gates.mistaken(results, its_checks, step.variant.check), results
    said = gates.solved(results)
    if "reset" in step.kinds:
        stage.reset()
        said += _left(stage, before)
    return said, results


def _outage(stage: Stage) -> tuple[list[str], list[Result]]:
    stage.healthy(_HEALTHY_WITHIN)
    before = stage.checked_in_outage(begun=False)
    stage.healthy(_HEALTHY_WITHIN)
    begun = stage.checked_in_outage(begun=True)
    stage.healthy(_HEALTHY_WITHIN)
    said = gates.silent(before, "API server paused before the checks")
    return said + gates.silent(begun, "API server paused as the checks begin", begun=True), [*before, *begun]


def _left(stage: Stage, before: Sequence[str]) -> list[str]:
    end = time.monotonic() + _SETTLED_WITHIN
    while (left := leftovers.difference(before, stage.objects())) and time.monotonic() < end:
        time.sleep(2)
    return left


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def restored(plain: dict[str, Any]) -> Done:
    """A step as it was before `Done.plain`."""
    results = [
        Result(**{**each, "verdict": Verdict(each["verdict"]), "domains": tuple(each["domains"]),
                  "evidence": tuple(each["evidence"])})
        for each in plain["results"]
    ]  # fmt: skip
    return Done(**{**plain, "results": results})
