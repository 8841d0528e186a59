"""The `@check` decorator: a coroutine function with a docstring for the learner becomes a `Check`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

# The domains of the two exam curricula (CNCF, CKA and CKAD); a check may carry several.
DOMAINS = frozenset(
    {
        "cka/storage",
        "cka/troubleshooting",
        "cka/workloads-and-scheduling",
        "cka/cluster-architecture",
        "cka/services-and-networking",
        "ckad/design-and-build",
        "ckad/deployment",
        "ckad/observability-and-maintenance",
        "ckad/environment-configuration-and-security",
        "ckad/services-and-networking",
    }
)


@dataclass(frozen=True, eq=False)
class Check:
    """One thing that is measured.

    Attributes:
        name: the function's name; `wrong/` folders carry it.
        text: its docstring, which the learner reads.
        points: what a pass is worth.
        needs: the checks that must pass before it makes sense to run this one.
        domains: exam domains, each from `DOMAINS`.
        owns: the service (or other thing) that it puts under load or breaks; it then runs alone.
    """

    name: str
    text: str
    run: Callable[[Any], Awaitable[None]]
    points: int
    needs: tuple[Check, ...] = ()
    domains: tuple[str, ...] = ()
    owns: str = ""

    @property
    def title(self) -> str:
        """The first paragraph of the docstring, on one line."""
        return " ".join(self.text.strip().split("\n\n")[0].split())


def check(
    *,
    points: int,
    needs: Check | tuple[Check, ...] = (),
    domains: tuple[str, ...] = (),
    owns: str = "",
) -> Callable[[Callable[[Any], Awaitable[None]]], Check]:
    """Make a check of a coroutine function that takes the `lab` object.

    Raises:
        ValueError: no docstring, no points, or a domain that no exam has.
    """

    def decorate(function: Callable[[Any], Awaitable[None]]) -> Check:
        name = getattr(function, "__name__", "")
        if not (function.__doc__ or "").strip():
            raise ValueError(f"check {name} has no docstring: the learner reads it")
        if points < 1:
            raise ValueError(f"check {name}: points must be 1 or more, not {points}")
        if strange := set(domains) - DOMAINS:
            raise ValueError(f"check {name}: no exam has the domain {', '.join(sorted(strange))}")
        wanted = (needs,) if isinstance(needs, Check) else tuple(needs)
        return Check(name, function.__doc__ or "", function, points, wanted, tuple(domains), owns)

    return decorate


def checks_of(module: ModuleType) -> list[Check]:
    """The checks of a lab's module in the order of their definition, which is also the order of the report.

    Raises:
        ValueError: none, or one that needs a check defined after it (or elsewhere).
    """
    found = [value for value in vars(module).values() if isinstance(value, Check)]
    if not found:
        raise ValueError("no checks in it")
    for place, item in enumerate(found):
        for needed in item.needs:
            if needed not in found[:place]:
                raise ValueError(f"check {item.name} needs {needed.name}, which must be defined before it")
    return found
