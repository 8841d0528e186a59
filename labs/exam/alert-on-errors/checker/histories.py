"""Histories of a model's two pods in promtool's notation: in one users are harmed for long enough, in others not."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

STEP = 15  # s between two scrapes
BEGIN, LENGTH = 10, 35  # min: when something changes, and how long a history is
FIRES = "harmed"
SILENT = {
    "few": "fewer are lost than that, all of one pod",
    "soon_over": "many are lost, for a short time",
    "come_and_go": "errors come and go",
    "other_route": "another route fails",
    "refused": "answers are 422",
    "nobody": "nobody asks",
}
_REQUESTS = 24.0  # of a pod in a step
_ALL = ("/predict", "200"), ("/predict", "500"), ("/predict", "503"), ("/predict", "422"), ("/readyz", "200"), (
    "/readyz", "503",
)  # fmt: skip
Counted = dict[tuple[str, str], float]  # answers in a step, by route and status


def tests(rules: str, alert: str, share: float, hold: int) -> dict[str, Any]:
    """The input of `promtool test rules`: no alert is expected anywhere, so it prints where one fires.

    Args:
        rules: the rule file.
        share: of errors, above which users are harmed.
        hold: minutes for which it must be so.
    """
    ends = {FIRES: BEGIN + hold + 2}
    return {
        "rule_files": [rules],
        "evaluation_interval": f"{STEP}s",
        "tests": [
            {
                "name": name, "interval": f"{STEP}s", "input_series": list(_series(happens)),
                "alert_rule_test": [
                    {"eval_time": f"{30 * half}s", "alertname": alert, "exp_alerts": []}
                    for half in range(2, 2 * ends.get(name, LENGTH) + 1)
                ],
            }
            for name, happens in _histories(share, hold).items()
        ],
    }  # fmt: skip


def _histories(share: float, hold: int) -> dict[str, Callable[[float, int], Counted]]:
    """What is answered in a step: by the minute since something changed (less than 0 before), and the pod's number."""
    burst = hold - 2.5

    def harmed(minute: float, pod: int) -> Counted:
        return _errors((1.0, 2.0)[pod] * share if minute > 0 else share / 10)

    def few(minute: float, pod: int) -> Counted:
        return _errors((1.4, 0.0)[pod] * share)

    def soon_over(minute: float, pod: int) -> Counted:
        return _errors(0.4 if 0 < minute <= burst else 0.0)

    def come_and_go(minute: float, pod: int) -> Counted:
        return _errors(0.4 if 0 < minute <= 15 and minute % (burst + 3) <= burst else 0.0)

    def other_route(minute: float, pod: int) -> Counted:
        return _errors(0.0) | {("/readyz", "503"): 3 * _REQUESTS if minute > 0 else 0.0}

    def refused(minute: float, pod: int) -> Counted:
        return {("/predict", "200"): 0.6 * _REQUESTS, ("/predict", "422"): 0.4 * _REQUESTS}

    def nobody(minute: float, pod: int) -> Counted:
        return _errors(0.0) if minute < 0 else {}

    return {
        FIRES: harmed, "few": few, "soon_over": soon_over, "come_and_go": come_and_go, "other_route": other_route,
        "refused": refused, "nobody": nobody,
    }  # fmt: skip


def _errors(share: float) -> Counted:
    """What a pod answers of which so many are errors, some of them 500 and some 503."""
    lost = share * _REQUESTS
    return {("/predict", "200"): _REQUESTS - lost, ("/predict", "500"): lost / 4, ("/predict", "503"): 3 * lost / 4}


def _series(happens: Callable[[float, int], Counted]) -> Iterator[dict[str, str]]:
    for pod, (route, status) in itertools.product((0, 1), _ALL):
        value, values = 7.0, []
        for step in range(LENGTH * 60 // STEP + 1):
            counted = happens(step * STEP / 60 - BEGIN, pod)
            value += counted.get((route, status), 1.0 if (route, status) == ("/readyz", "200") else 0.0)
            values.append(f"{value:.4f}")
        labels = f'route="{route}", status="{status}", pod="model-{pod}", job="model"'
        yield {"series": f"http_requests_total{{{labels}}}", "values": " ".join(values)}
