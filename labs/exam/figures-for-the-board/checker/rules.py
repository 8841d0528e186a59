"""The rule file: what stands in it, and what its figures are in the histories."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from mlops_lab.base.versions import pin
from mlops_lab.checks import Lab, LabError, Observation, holds

from .histories import tests

KEY = "figures.yaml"
_WITHIN = 120.0
_LONGEST = 100_000  # characters
# In promtool's output of a test that does not expect a value: what was asked, in which minute, and what there is.
_GOT = re.compile(r'expr: "([\w:]+)", time: (\d+)m(?:0s)?,\s+exp: \S+\s+got: ([^\n]*)')
_VALUE = re.compile(r"\} (\S+?)(?:, |$)")
_BROKEN = (f"{KEY}:", f"/{KEY}:", "err: ", "error: ")


@dataclass(frozen=True)
class Replayed:
    """Whether promtool can read the file, and the values of each figure by the minute of its history."""

    readable: Observation
    values: dict[str, dict[int, list[float]]]


def records(text: str) -> list[str]:
    """The series that a rule file records; none where it is no such file."""
    try:
        found = yaml.safe_load(text[:_LONGEST])
    except (yaml.YAMLError, RecursionError, ValueError, LookupError, AttributeError):  # the last of a wrong !!tag
        return []
    groups = _listed(found, "groups")
    rules = [rule for group in groups for rule in _listed(group, "rules")]
    return [str(rule["record"]) for rule in rules if isinstance(rule, dict) and "record" in rule]


def _listed(item: Any, field: str) -> list[Any]:
    found = item.get(field) if isinstance(item, dict) else None
    return found if isinstance(found, list) else []


async def replayed(lab: Lab, text: str, figures: Sequence[str], minutes: int, means: Sequence[float]) -> Replayed:
    """Let promtool go through the histories."""
    image = str(pin("images.prometheus.name")).partition("/")[2]
    output = await lab.programs.run(
        image, "/bin/promtool", "test", "rules", "/checker/tests.json",
        files={KEY: text[:_LONGEST], "tests.json": json.dumps(tests(KEY, figures, minutes, means))}, within=_WITHIN,
    )  # fmt: skip
    if output.code not in (0, 1):
        raise LabError(f"promtool ended with {output.code}", "see lab status", output.text[-2000:])
    return read(output.text, figures)


def read(output: str, figures: Sequence[str]) -> Replayed:
    """What promtool printed."""
    wrong = [line.strip()[:300] for line in output.splitlines() if any(sign in line for sign in _BROKEN)]
    values: dict[str, dict[int, list[float]]] = {figure: {} for figure in figures}
    for figure, minute, got in _GOT.findall(output):
        if figure in values:
            values[figure][int(minute)] = [_number(each) for each in _VALUE.findall(got)]
    return Replayed(
        holds(not wrong, "rules that promtool can read", wrong[0] if wrong else "", evidence=wrong[1:4]), values
    )


def _number(text: str) -> float:
    try:
        return float(text.replace("Inf", "inf"))
    except ValueError:
        return float("nan")
