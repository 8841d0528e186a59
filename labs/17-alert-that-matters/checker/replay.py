"""The normal day and the faults, replayed by promtool against the rules that Prometheus has loaded."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_lab.checks import Lab, LabError, absent, expect, holds
from mlops_lab.kit.drawn import drawn
from mlops_lab.kit.prerequisites import must

from . import day
from .plan import Plan
from .prometheus import loaded, rule_file

if TYPE_CHECKING:
    from mlops_lab.measure.pods.script import Output

MANIFEST = Path(__file__).parent.parent / "start" / "monitoring.yaml"
WITHIN = 300  # s for promtool to go through the day and the faults, on a busy machine; alone it takes 5 s


async def planned(lab: Lab) -> Plan:
    """What is replayed in this run."""
    return Plan(drawn(lab, "the day and the faults"))


async def replay(lab: Lab, hours: int) -> dict[str, list[day.Fired]]:
    """The alerts that fired, by what was replayed: `normal`, or a trial of the plan.

    Args:
        hours: of the normal day.
    """
    found, plan = await lab.once(loaded), await lab.once(planned)
    rules = day.written(rule_file(found.groups))
    whole = day.replays(plan, found.targets, found.others, "rules.json", hours)
    fired: dict[str, list[day.Fired]] = {}
    for tests in (whole["tests"][:1], whole["tests"][1:]):  # a ConfigMap, by which they come into the pod, has 1 MiB
        fired |= await _fired(lab, {"rules.json": rules, "replays.json": day.written(whole | {"tests": tests})})
    return fired


async def _fired(lab: Lab, files: Mapping[str, str]) -> dict[str, list[day.Fired]]:
    """The alerts that fired in some of the replays."""
    try:
        output = await promtool(lab, files)
    except LabError as trouble:
        if "did not end" not in trouble.message:
            raise
        # Where the day alone does not end either, it is the machine: an error.
        await promtool(lab, {**files, "rules.json": '{"groups": []}'})
        expect(absent(f"the day is replayed within {WITHIN} s", "promtool did not end")).because(
            "without rules it does: one of your expressions takes very long. A subquery over hours, at a small step, "
            "does"
        )
        raise AssertionError from trouble
    wrong = complained(output.text)
    wrong += [] if wrong or not output.code or "got:" in output.text else output.text.split("\n")[-5:]
    must(
        holds(not wrong, "rules that can be evaluated", "promtool could not", evidence=wrong[:3]),
        "the expression is well formed, and fails on the day's series: two sides of an operator that don't match one "
        "to one, say; or more alerts fire than can be counted",
    )
    return day.fired(output.text)


def complained(output: str) -> list[str]:
    """The lines in which promtool says that it could not do something; what fired (`got: `) may have any labels."""
    lines = [line.strip()[:400] for line in output.splitlines() if "got: " not in line]
    return [line for line in lines if "err: " in line or "error: " in line]


async def promtool(lab: Lab, files: Mapping[str, str]) -> Output:
    """`promtool test rules`, in the image of Prometheus that the lab's start names."""
    named = re.search(r"image: [^/\s]+/(\S+/prometheus:\S+)", MANIFEST.read_text())
    assert named
    output = await lab.programs.run(
        named[1], "/bin/promtool", "test", "rules", "/checker/replays.json", files=files, within=WITHIN
    )
    if output.code not in (0, 1):
        raise LabError(f"promtool ended with {output.code}", "see lab status", output.text[-2000:])
    return output
