"""Histories of a model's two pods in promtool's notation, and what the figures are at their ends."""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

STEP = 15  # s between two scrapes
# What happens, and the minute in which the figures are asked for; by that minute the answers are told apart.
HISTORIES = {20: "one pod gets ten times the other's requests", 21: "it has changed", 22: "a pod was started anew"}
_CHANGED, _RESTARTED = 21, 22
_BOUNDS = ("0.025", "0.05", "0.1", "0.25", "0.5", "1", "+Inf")
# How many of 100 requests end in each bucket.
_FAST, _SLOW, _SLOWER = (50, 30, 15, 5, 0, 0, 0), (0, 5, 15, 40, 35, 5, 0), (0, 0, 0, 0, 10, 90, 0)
_ASKED = 40.0, 4.0  # requests of the two pods in a step
_ROWS = 1.0, 3.0  # predictions of a request to either pod
_OTHERS = "/predictions", "/reports"  # routes beside /predict, one of which begins like it
_PROBES = 30.0  # of each pod in a step, at each other route
_BASE = 5000.0  # of each counter at the beginning


def tests(rules: str, figures: Sequence[str], minutes: int, means: Sequence[float]) -> dict[str, Any]:
    """The input of `promtool test rules`: no value is expected, so it prints what there is.

    Args:
        rules: the rule file.
        figures: the series that are asked for.
        minutes: that they are about.
        means: of the probabilities, of each pod before and after a change.
    """
    return {
        "rule_files": [rules],
        "evaluation_interval": f"{STEP}s",
        "tests": [
            {
                "interval": f"{STEP}s", "input_series": list(_series(end, minutes, means)),
                "promql_expr_test": [{"expr": figure, "eval_time": f"{end}m"} for figure in figures],
            }
            for end in HISTORIES
        ],
    }  # fmt: skip


def latency(end: int, minutes: int, quantile: float) -> float:
    """What histogram_quantile() makes of a history's window."""
    grown = [0.0] * len(_BOUNDS)
    for pod, step in itertools.product((0, 1), _window(end, minutes)):
        for place, part in enumerate(_spread(end, minutes, pod, step)):
            grown[place] += _asked(end, minutes, pod, step) * part / 100
    rank, below, lower = quantile * sum(grown), 0.0, 0.0
    for bound, count in zip(_BOUNDS, grown, strict=True):
        if count and below + count >= rank:
            return lower + (float(bound) - lower) * (rank - below) / count
        below, lower = below + count, float(bound)
    raise AssertionError("no bucket holds it")


def mean(end: int, minutes: int, means: Sequence[float]) -> float:
    """The mean of a history's window."""
    steps = list(itertools.product((0, 1), _window(end, minutes)))
    made = {(pod, step): _ROWS[pod] * _asked(end, minutes, pod, step) for pod, step in steps}
    return sum(made[each] * _mean(end, minutes, *each, means) for each in steps) / sum(made.values())


def _window(end: int, minutes: int) -> range:
    """The steps that rate() sees: between the first and the last sample of the window, whose beginning is left out."""
    last = end * 60 // STEP
    return range(last - minutes * 60 // STEP + 2, last + 1)


def _changed(end: int, minutes: int, step: int) -> bool:
    """Is a step after the change, which is half a window before the end?"""
    return end == _CHANGED and step > end * 60 // STEP - minutes * 60 // STEP // 2


def _asked(end: int, minutes: int, pod: int, step: int) -> float:
    return _ASKED[pod] * (2.0 if _changed(end, minutes, step) and pod else 1.0)


def _spread(end: int, minutes: int, pod: int, step: int) -> Sequence[int]:
    return _SLOW if pod or _changed(end, minutes, step) else _FAST


def _mean(end: int, minutes: int, pod: int, step: int, means: Sequence[float]) -> float:
    return means[pod + 2 * _changed(end, minutes, step)]


def _series(end: int, minutes: int, means: Sequence[float]) -> Iterator[dict[str, str]]:
    for pod in (0, 1):

        def asked(step: int, pod: int = pod) -> float:
            return _asked(end, minutes, pod, step)

        for place, bound in enumerate(_BOUNDS):
            for route in ("/predict", *_OTHERS):
                name = f'http_request_duration_seconds_bucket{{route="{route}", le="{bound}", '
                up_to = [
                    asked(step) * sum(_spread(end, minutes, pod, step)[: place + 1]) / 100
                    if route == "/predict" else _PROBES * sum(_SLOWER[: place + 1]) / 100
                    for step in _steps(end)
                ]  # fmt: skip
                yield _counter(name, pod, up_to, end, minutes)
        counts = [_ROWS[pod] * asked(step) for step in _steps(end)]
        sums = [made * _mean(end, minutes, pod, step, means) for step, made in zip(_steps(end), counts, strict=True)]
        yield _counter("model_prediction_probability_count{", pod, counts, end, minutes)
        yield _counter("model_prediction_probability_sum{", pod, sums, end, minutes)


def _steps(end: int) -> range:
    return range(1, end * 60 // STEP + 1)


def _counter(name: str, pod: int, growth: Sequence[float], end: int, minutes: int) -> dict[str, str]:
    """A counter's samples; a pod that is started anew begins at 0, half a window before the end."""
    value, values = _BASE, [_BASE]
    for step, more in enumerate(growth, 1):
        restarted = end == _RESTARTED and pod == 0 and step == end * 60 // STEP - minutes * 60 // STEP // 2
        value = more if restarted else value + more
        values.append(value)
    return {
        "series": f'{name}pod="model-{pod}", job="model"}}', "values": " ".join(f"{each:.6f}" for each in values),
    }  # fmt: skip
