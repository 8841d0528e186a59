"""The rule file: what stands in it, and what promtool makes of it with the histories."""

import json
import re
from dataclasses import dataclass
from typing import Any

import yaml

from mlops_lab.base.versions import pin
from mlops_lab.checks import Lab, LabError, Observation, holds

from .histories import BEGIN, FIRES, SILENT, tests

KEY = "errors.yaml"
_WITHIN = 120.0
_LONGEST = 100_000  # characters
# In promtool's output of a test that does not expect an alert: the history's name, and when it fired.
_FIRED = re.compile(r"name: ([a-z_]+),\s+alertname: \S+, time: (\S+?),?\s")
# Lines with what the candidate wrote, of an alert that fires.
_OF_AN_ALERT = ("Labels:", "Annotations:", "exp:", "got:")
_OFTEN = 60.0  # s between two evaluations, at most
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400, "y": 365 * 86400}
_HOURS = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


@dataclass(frozen=True)
class Fired:
    """Whether promtool can read the file, and by history the minutes (from its change on) at which the alert fires."""

    readable: Observation
    minutes: dict[str, list[float]]


def alerts(text: str) -> list[dict[str, Any]]:
    """The alerts of a rule file, with their groups' labels; none where it is no such file."""
    rules = [(group, rule) for group in _groups(text) for rule in _listed(group, "rules")]
    return [
        {**rule, "labels": {**_labels(group), **_labels(rule)}}
        for group, rule in rules if isinstance(rule, dict) and "alert" in rule
    ]  # fmt: skip


def _labels(item: dict[str, Any]) -> dict[str, Any]:
    """The labels of a rule, or of a group, which are those of all its rules that say nothing else."""
    found = item.get("labels")
    return found if isinstance(found, dict) else {}


def seldom_evaluated(text: str) -> list[str]:
    """The groups whose own interval is more than a minute; promtool takes its own in its place.

    https://prometheus.io/docs/prometheus/latest/configuration/recording_rules/#rule_group
    """
    told = [(each.get("name"), each.get("interval")) for each in _groups(text) if isinstance(each, dict)]
    return [f"group {name}: every {interval}" for name, interval in told if _seconds(str(interval)) > _OFTEN]


def _seconds(duration: str) -> float:
    parts = re.findall(r"(\d+)(ms|[smhdwy])", duration)
    return sum(int(number) * _SECONDS[unit] for number, unit in parts)


def _groups(text: str) -> list[Any]:
    try:
        return _listed(yaml.safe_load(text[:_LONGEST]), "groups")
    except (yaml.YAMLError, RecursionError, ValueError, LookupError, AttributeError):  # the last of a wrong !!tag
        return []


def _listed(item: Any, field: str) -> list[Any]:
    found = item.get(field) if isinstance(item, dict) else None
    return found if isinstance(found, list) else []


async def replayed(lab: Lab, text: str, alert: str, share: float, hold: int) -> Fired:
    """Let promtool go through the histories."""
    image = str(pin("images.prometheus.name")).partition("/")[2]
    output = await lab.programs.run(
        image, "/bin/promtool", "test", "rules", "/checker/tests.json",
        files={KEY: text[:_LONGEST], "tests.json": json.dumps(tests(KEY, alert, share, hold))}, within=_WITHIN,
    )  # fmt: skip
    if output.code not in (0, 1):
        raise LabError(f"promtool ended with {output.code}", "see lab status", output.text[-2000:])
    return read(output.text)


def read(output: str) -> Fired:
    """What promtool printed."""
    lines = [line for line in output.splitlines() if not line.strip().startswith(_OF_AN_ALERT)]
    wrong = [
        line.strip()[:300] for line in lines
        if line.startswith(KEY) or f"/{KEY}:" in line or "err: " in line or "error: " in line
    ]  # fmt: skip
    minutes: dict[str, list[float]] = {name: [] for name in (*FIRES, *SILENT)}
    for name, at in _FIRED.findall("\n".join(lines)):
        if name in minutes:
            minutes[name].append(_minutes(at) - BEGIN)
    good = not wrong
    return Fired(
        holds(good, "rules that promtool can read", wrong[0] if wrong else "", evidence=wrong[1:4]),
        {name: sorted(each) for name, each in minutes.items()},
    )


def _minutes(text: str) -> float:
    parts = _HOURS.fullmatch(text)
    hours, minutes, seconds = (int(each or 0) for each in parts.groups()) if parts else (0, 0, 0)
    return hours * 60 + minutes + seconds / 60
