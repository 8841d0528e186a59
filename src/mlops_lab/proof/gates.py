"""The gates that a lab must pass to be honest, as plain logic: results in, complaints out; no complaint, no fault."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from mlops_lab.checks.check import Check
from mlops_lab.checks.verdicts import Result, Verdict
from mlops_lab.labs.variants import Variant

# What a lab must bring at least: ways to solve it, and typical mistakes.
SOLUTIONS = 2
MISTAKES = 5
# Applying what is there may earn one of that many parts of all points.
AT_ONCE = 4


def form(
    checks: Sequence[Check], solutions: Sequence[Variant], wrongs: Sequence[Variant], missing: Sequence[Path]
) -> list[str]:
    """The folder is whole: enough solutions and mistakes, each named after a check, and a mistake for each check.

    Args:
        missing: files that a lab needs and that are not there.
    """
    said = [f"there is no {path.name}" for path in missing]
    if len(solutions) < SOLUTIONS:
        said.append(f"it has {len(solutions)} solutions; at least {SOLUTIONS} that differ are needed")
    if len(wrongs) < MISTAKES:
        said.append(f"it has {len(wrongs)} mistakes under wrong/; at least {MISTAKES} are needed")
    names = [item.name for item in checks]
    said += [f"wrong/{each.name}: there is no check {each.check}" for each in wrongs if each.check not in names]
    said += [f"wrong/{each.name}: its variant.toml has no `because`" for each in wrongs if not each.because]
    shown = {each.check for each in wrongs}
    return said + [f"no mistake under wrong/ shows that check {name} can fail" for name in names if name not in shown]


def untouched(results: Sequence[Result]) -> list[str]:
    """Who has done nothing gets nothing."""
    return [
        f"{result.check} gives {result.earned} points for nothing done" for result in results if result.earned
    ] + _unclear(results)


def applied(results: Sequence[Result], may_earn: Collection[str]) -> list[str]:
    """Who has applied what was there, and changed nothing, gets nothing but what the lab says of itself.

    Args:
        may_earn: the checks that the lab's `start_earns` names; each of them has to pass.
    """
    said = [
        f"{result.check} gives {result.earned} points for start/ applied as it is: let it ask for more, or say why it "
        "may be so in lab.toml, under [start_earns]"
        for result in results
        if result.earned and result.check not in may_earn
    ]
    said += [
        f"{result.check} is {result.verdict}, though [start_earns] in lab.toml says that it passes"
        for result in results
        if result.check in may_earn and result.verdict in (Verdict.FAIL, Verdict.BLOCKED)
    ]
    return said + _unclear(results)


def earned_at_once(checks: Sequence[Check], may_earn: Collection[str]) -> list[str]:
    """`start_earns` names checks that there are, and few points."""
    names = [item.name for item in checks]
    said = [f"lab.toml: [start_earns] names {name}, which is no check" for name in may_earn if name not in names]
    whole = sum(item.points for item in checks)
    part = sum(item.points for item in checks if item.name in may_earn)
    if part * AT_ONCE > whole:
        said.append(f"applying start/ earns {part} of {whole} points; it may earn a quarter at most")
    return said


def solved(results: Sequence[Result]) -> list[str]:
    """A solution gets full marks."""
    return [_but(result, Verdict.PASS) for result in results if result.verdict is not Verdict.PASS] or (
        [] if results else ["no check ran"]
    )


def mistaken(results: Sequence[Result], checks: Sequence[Check], named: str) -> list[str]:
    """A mistake fails the check that it is named after; what needs that check is blocked, and all else passes."""
    behind = dependents(checks, named)
    said = [] if any(result.check == named for result in results) else [f"check {named} did not run"]
    for result in results:
        wanted = Verdict.FAIL if result.check == named else Verdict.BLOCKED if result.check in behind else Verdict.PASS
        if result.verdict is not wanted:
            said.append(_but(result, wanted))
    return said


def silent(results: Sequence[Result], when: str, *, begun: bool = False) -> list[str]:
    """While the API server does not answer, every verdict is `error`: nothing is passed, nobody is blamed.

    Args:
        begun: checks were at work as it went away. One that tidies up tries to for longer than the outage lasts, so
            that it, and what stands behind it, may have no verdict at the end.
    """
    fair = {Verdict.ERROR, Verdict.WAITING} if begun else {Verdict.ERROR}
    return [f"{when}: {_but(result, Verdict.ERROR)}" for result in results if result.verdict not in fair] or (
        [] if results else ["no check ran"]
    )


def dependents(checks: Sequence[Check], name: str) -> set[str]:
    """The checks that need the named one, directly or through others."""
    found: set[str] = set()
    for item in checks:  # a check stands after all that it needs
        if any(needed.name == name or needed.name in found for needed in item.needs):
            found.add(item.name)
    return found


def troubled(results: Sequence[Result]) -> list[str]:
    """What the environment was in the way of, in words."""
    return [f"{result.check}: {result.why}" for result in results if result.verdict is Verdict.ERROR]


def _unclear(results: Sequence[Result]) -> list[str]:
    return [
        f"{result.check} is {result.verdict}"
        for result in results
        if result.verdict in (Verdict.WAITING, Verdict.ERROR)
    ]


def _but(result: Result, wanted: Verdict) -> str:
    seen = f": expected {result.expected}; saw {result.seen}" if result.verdict is Verdict.FAIL else ""
    why = f": {result.why}" if result.verdict in (Verdict.ERROR, Verdict.WAITING) and result.why else ""
    return f"{result.check} is {result.verdict}, not {wanted}{seen}{why}"
