"""What a check draws is drawn again by the seed that its report bears."""

from __future__ import annotations

import asyncio
import json
from xml.etree import ElementTree

import pytest

from mlops_lab.base.errors import UsageError
from mlops_lab.checks import Lab, check, expect, holds, report
from mlops_lab.checks.run import run_checks
from mlops_lab.checks.verdicts import Result
from mlops_lab.kit.drawn import drawn
from tests.made_up import made_up_lab

DRAWN: list[float] = []


async def shared(lab: Lab) -> float:
    return drawn(lab, "shared").random()


@check(points=1)
async def draws(lab: Lab) -> None:
    """It draws."""
    DRAWN.append(drawn(lab, "number").random())
    expect(holds(True, "drawn")).because("")


@check(points=1)
async def shares(lab: Lab) -> None:
    """It shares what is drawn."""
    DRAWN.append(await lab.once(shared))
    expect(holds(False, "drawn")).because("for the sake of the report")


@check(points=1)
async def draws_nothing(lab: Lab) -> None:
    """It draws nothing."""


def results() -> list[Result]:
    DRAWN.clear()
    return asyncio.run(run_checks(made_up_lab(), [draws, shares, draws_nothing]))


def test_the_report_bears_the_seed_and_it_draws_the_same_again(monkeypatch: pytest.MonkeyPatch) -> None:
    found, first = results(), sorted(DRAWN)
    seed = found[0].seed
    assert (seed, None) == (found[1].seed, found[2].seed) and len(set(first)) == 2
    assert f"MLOPS_LAB_SEED={seed}" in report.terminal("Lab", found)
    assert json.loads(report.as_json("00", "Lab", found))["seed"] == seed
    suite = ElementTree.fromstring(report.junit("00", "Lab", found))
    assert [each.get("value") for each in suite.iter("property")] == [str(seed)]
    assert sorted(DRAWN) == first
    results()
    assert sorted(DRAWN) != first
    monkeypatch.setenv("MLOPS_LAB_SEED", str(seed))
    results()
    assert sorted(DRAWN) == first


def test_a_report_without_a_seed_says_nothing_of_it() -> None:
    found = asyncio.run(run_checks(made_up_lab(), [draws_nothing]))
    assert "seed" not in report.terminal("Lab", found) and "property" not in report.junit("00", "Lab", found)


def test_a_seed_that_is_no_number_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_LAB_SEED", "many")
    with pytest.raises(UsageError, match="many"):
        made_up_lab()
