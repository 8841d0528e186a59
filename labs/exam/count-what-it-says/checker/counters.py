"""What a server says at GET /metrics."""

import re
from collections.abc import Mapping

from mlops_lab.checks import Observation, equal_to, expect, holds, observe
from mlops_lab.tasks.lab import TaskLab

_WITHIN = 15.0
_LINE = re.compile(r"^(\w+)(?:\{([^}]*)\})?\s+([-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)(?:\s+\d+)?$", re.MULTILINE)
_KIND = re.compile(r"^# TYPE (\w+) (\w+)$", re.MULTILINE)
_TEXTS = ("text/plain", "application/openmetrics-text")
_COUNTERS, _OTHERS = ("predictions", "refused"), ("gauge", "histogram", "summary")
Counters = dict[str, float | None]


async def counters(lab: TaskLab, service: str, prefix: str) -> Counters:
    """The three series' values by a short name; None for one that is not there.

    Raises:
        Failure: GET /metrics is not answered with metrics.
    """
    answer = await lab.traffic.first_answer(lambda: lab.traffic.get(service, "/metrics"), within=_WITHIN)
    expect(observe("status of GET /metrics (0: no answer)", answer.status, equal_to(200))).because(
        "a program is read when its pod starts: kubectl rollout restart makes the pods anew, and kubectl logs says why "
        "one does not start"
    )
    kind = str(answer.headers.get("content-type") or "none").lower()
    expect(holds(kind.startswith(_TEXTS), "Content-Type of one of Prometheus's text formats", f"it is {kind}")).because(
        "Prometheus reads only what is declared as a format of its own: prometheus_client.CONTENT_TYPE_LATEST has it"
    )
    found = {(name, inside): float(value) for name, inside, value in _LINE.findall(answer.text)}
    expect(Observation(bool(found), "metrics in the text format", answer.shown if not found else "there are")).because(
        'each line is NAME{LABEL="VALUE"} NUMBER: prometheus_client\'s generate_latest() writes them'
    )
    kinds = {f"{name.removesuffix('_total')}_total": kind for name, kind in _KIND.findall(answer.text)}
    other = [
        f"{name} is a {kinds[name]}" for part in _COUNTERS if kinds.get(name := f"{prefix}_{part}_total") in _OTHERS
    ]
    expect(holds(not other, "they are counters", ", ".join(other))).because(
        "of a counter it is known that it only grows, and begins again with its program; a gauge may do anything"
    )
    return {
        "late": found.get((f"{prefix}_predictions_total", 'late="yes"')),
        "in time": found.get((f"{prefix}_predictions_total", 'late="no"')),
        "refused": found.get((f"{prefix}_refused_total", "")),
    }


def grown(before: Counters, after: Counters) -> dict[str, float | None]:
    """By how much each has grown; None for one that is not there. One that was not there before began at 0."""
    return {
        name: None if value is None else value - (before.get(name) or 0.0) for name, value in after.items()
    }  # fmt: skip


def shown(values: Mapping[str, float | None]) -> str:
    """All three in a line."""
    return ", ".join(f"{name}: {'none' if value is None else f'{value:g}'}" for name, value in values.items())
