"""Versions of the model: which is in production, which answers, and what their tags say of where they come from."""

from __future__ import annotations

import contextlib
import json
import math
import re
from datetime import date

from mlops_lab.checks import Lab, Observation, absent, expect
from mlops_lab.kit.endpoints import enough
from mlops_lab.kit.registry import PRODUCTION, in_production, tags
from mlops_lab.kit.side_by_side import together
from mlops_lab.kube.client import Object

from .days import HELD_OUT, LEARNT

SEEDED = ("2013-02-01", "2013-02-14")  # the days that the version learnt from which the lab puts into service
_AT_ONCE = 6
_ROUNDS = math.ceil(enough(2) / _AT_ONCE)  # of two or three pods
_DAY = r"\d{4}-\d\d-\d\d"


async def production(lab: Lab) -> str:
    """The number of the version in production; empty for none."""
    return str((await in_production(lab)).get("version", ""))


async def seeded(lab: Lab) -> str:
    """The number of the version that the lab made and put into service; empty for none.

    The trials before and after it learnt from one day, and are worse than any candidate on each held-out week: who
    compares with the first or the newest version, in the place of the one in service, lets every candidate in.
    """
    made = [each for each in await lab.platform.mlflow.versions() if _days_in(tags(each)) == [*SEEDED]]
    return min((str(each["version"]) for each in made), key=int, default="")


async def answering(lab: Lab) -> set[str]:
    """The versions that many requests were answered by, asked until one is unlike the first or is no version."""
    found, fine = set[str](), True
    for _ in range(_ROUNDS):
        answers = await together(*(lab.traffic.get("model", "/version", within=5) for _ in range(_AT_ONCE)))
        for each in answers:
            found.add(str(each.fields_if_any.get("model_version")) if each.status == 200 else f"status {each.status}")
            fine = fine and each.status == 200
        if not fine or len(found) > 1:
            break
    return found


async def serves(lab: Lab, version: str, *, within: float) -> Observation:
    """Wait until all answers come from a version, so many seconds at most."""
    return await lab.time.eventually(
        lambda: answering(lab), lambda seen: seen == {version}, expected=f"every pod answers with version {version}",
        shown=lambda seen: f"answers from version {', '.join(sorted(seen))}", within=within,
    )  # fmt: skip


async def look_in(lab: Lab, seen: set[str]) -> None:
    """Note the version that is in production now, and one that answers now."""
    answer = await lab.traffic.get("model", "/version", within=5)
    answered = answer.fields_if_any.get("model_version") if answer.status == 200 else None
    seen |= {await production(lab), "" if answered is None else str(answered)[:40]} - {""}


async def kept(lab: Lab, first: str, meanwhile: set[str]) -> Observation:
    """Whether the alias is where it was, nobody answers with another version, and nobody has meanwhile.

    Args:
        meanwhile: versions that were seen in production, or answering, while the run went on.
    """
    version = await production(lab)
    if version != first:
        return absent(f"alias {PRODUCTION} on version {first}", f"on version {version}: it was put into service")
    expected = f"version {first} in production and in every answer, all the while"
    if others := sorted(meanwhile - {first}):
        return absent(expected, f"while the run went on also version {', '.join(others)}, which was taken back later")
    seen = await serves(lab, first, within=10)
    return Observation(seen.ok, expected, seen.seen)


async def lineage(lab: Lab, version: str, run: str, today: str) -> Observation:
    """Whether a version's tags name the run that made it, and the three weeks that it had to learn from."""
    known = await tags_of(lab, version)
    named_run, days = known.get("pipeline.run", ""), _days_in(known)
    ago: list[int] = []
    with contextlib.suppress(ValueError):  # one that no calendar has
        ago = [(date.fromisoformat(today) - date.fromisoformat(day)).days for day in days]
    right = len(ago) == 2 and ago[1] - HELD_OUT in (0, 1) and ago[0] - ago[1] == LEARNT - 1
    return Observation(
        named_run == run and right,
        f"pipeline.run {run}, data.days with {LEARNT} days, from {LEARNT + HELD_OUT - 1} to {HELD_OUT} days before "
        f"{today}, or each a day before that",
        json.dumps({name: known.get(name, "") for name in ("pipeline.run", "data.days")}),
    )


async def days_of(lab: Lab, version: str) -> tuple[str, str]:
    """The days that a version was trained on.

    Raises:
        Failure: its tag does not tell.
    """
    known = await tags_of(lab, version)
    days = _days_in(known)
    expect(
        Observation(
            len(days) == 2, f"version {version} with its first and last day as data.days",
            known.get("data.days") or "no such tag",
        )
    ).because(
        "the ordinary traffic is of the days that this version was trained on, and the lab made it with this tag. If "
        "it is gone: lab reset makes it again"
    )  # fmt: skip
    return days[0], days[1]


async def tags_of(lab: Lab, version: str) -> dict[str, str]:
    """The tags of a version; none if it is gone."""
    versions = await lab.platform.mlflow.versions()
    found: Object = next((each for each in versions if str(each["version"]) == version), {})
    return tags(found)


def _days_in(known: dict[str, str]) -> list[str]:
    """The days that a version's tag `data.days` names."""
    return re.findall(_DAY, known.get("data.days", ""))
