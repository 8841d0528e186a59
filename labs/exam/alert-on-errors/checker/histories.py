"""Histories of a model's two pods in promtool's notation: in one users are harmed for long enough, in others not."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

STEP = 15  # s between two scrapes
BEGIN, LENGTH = 10, 35  # min: when something changes, and how long a history is
ENDS_WITHIN = 2.5  # min after the errors
FIRES = {
    "harmed": "more are lost than that",
    "seldom": "more are lost than that of few requests",
    "all_fail": "all are lost, and none was ever answered well",
}
SILENT = {
    "few": "fewer are lost than that, all of one pod",
    "soon_over": "many are lost, for a short time",
    "come_and_go": "errors come and go",
    "over": f"errors that went on for long are over since {ENDS_WITHIN:g} min",
    "other_route": "other routes fail",
    "refused": "answers are 422",
    "nobody": "nobody asks",
}
_REQUESTS, _PROBES = 24.0, 72.0  # of a pod in a step
_SELDOM = 1 / 8  # of these: fewer than one request a second of both pods
_ERRORS = {"500": 0.25, "507": 0.25, "511": 0.5}  # what part of the errors has which status
_OTHERS = (("/readyz", "503"), ("/predictions", "500"))  # errors that are no answers of /predict
_ALL = (*(("/predict", each) for each in ("200", "422", *_ERRORS)), ("/readyz", "200"), *_OTHERS)
Counted = dict[tuple[str, str], float]  # answers in a step, by route and status


def tests(rules: str, alert: str, share: float, hold: int) -> dict[str, Any]:
    """The input of `promtool test rules`: no alert is expected anywhere, so it prints where one fires.

    Args:
        rules: the rule file.
        share: of errors, above which users are harmed.
        hold: minutes for which it must be so.
    """
    # Looked at each 30 s; in what is to be silent not at whole minutes, but where it fires if it is a minute late.
    begins = dict.fromkeys(FIRES, 60) | {"over": int(60 * (BEGIN + _long(hold) + ENDS_WITHIN)) + STEP}
    ends = dict.fromkeys(FIRES, 60 * (BEGIN + hold + 2))
    return {
        "rule_files": [rules],
        "evaluation_interval": f"{STEP}s",
        "tests": [
            {
                "name": name, "interval": f"{STEP}s", "input_series": list(_series(happens)),
                "alert_rule_test": [
                    {"eval_time": f"{at}s", "alertname": alert, "exp_alerts": []}
                    for at in range(begins.get(name, 60 + STEP), ends.get(name, 60 * LENGTH) + 1, 2 * STEP)
                ],
            }
            for name, happens in _histories(share, hold).items()
        ],
    }  # fmt: skip


def _histories(share: float, hold: int) -> dict[str, Callable[[float, int], Counted]]:
    """What is answered in a step: by the minute since something changed (less than 0 before), and the pod's number."""
    burst = hold - 1.25  # the last minute has errors for a minute longer

    def harmed(minute: float, pod: int, times: float = 1) -> Counted:
        """Errors in each other step: there are some in each last minute, and between two scrapes there may be none."""
        some = (2.3, 4.6)[pod] * share * (round(minute * 60 / STEP) % 2) if minute > 0 else share / 10
        return _errors(some, times=times)

    def seldom(minute: float, pod: int) -> Counted:
        return harmed(minute, pod, times=_SELDOM)

    def all_fail(minute: float, pod: int) -> Counted:
        return {answers: count for answers, count in _errors(1.0).items() if count and minute > 0}

    def few(minute: float, pod: int) -> Counted:
        """A smaller share of many more requests: there are more errors in a minute than where users are harmed.

        The pod that has them all is asked less often than the other one: the mean of both pods' shares is greater.
        """
        return _errors((4.5, 0.0)[pod] * share, refused=0.5, times=(4, 16)[pod])

    def soon_over(minute: float, pod: int) -> Counted:
        return _errors(0.9 if 0 < minute <= burst else 0.0)

    def come_and_go(minute: float, pod: int) -> Counted:
        return _errors(0.9 if 0 < minute <= 15 and minute % (burst + 3) <= burst else 0.0)

    def over(minute: float, pod: int) -> Counted:
        return _errors(0.9 if 0 < minute <= _long(hold) else 0.0)

    def other_route(minute: float, pod: int) -> Counted:
        return _errors(0.0) | dict.fromkeys(_OTHERS, _PROBES if minute > 0 else 0.0)

    def refused(minute: float, pod: int) -> Counted:
        return _errors(0.0, refused=0.4)

    def nobody(minute: float, pod: int) -> Counted:
        return _errors(0.0) if minute < 0 else {}

    return {
        "harmed": harmed, "seldom": seldom, "all_fail": all_fail,
        "few": few, "soon_over": soon_over, "come_and_go": come_and_go, "over": over,
        "other_route": other_route, "refused": refused, "nobody": nobody,
    }  # fmt: skip


def _long(hold: int) -> int:
    """Minutes in which errors go on for longer than the alert waits."""
    return hold + 4


def _errors(share: float, refused: float = 0.0, times: float = 1) -> Counted:
    """What a pod answers: such a share are errors, and such a share 422, of so many times the usual requests."""
    asked = times * _REQUESTS
    wrong = {("/predict", status): part * share * asked for status, part in _ERRORS.items()}
    return wrong | {("/predict", "200"): (1 - share - refused) * asked, ("/predict", "422"): refused * asked}


def _series(happens: Callable[[float, int], Counted]) -> Iterator[dict[str, str]]:
    """The counters, but for those of answers that a history never tells of."""
    minutes = [step * STEP / 60 - BEGIN for step in range(LENGTH * 60 // STEP + 1)]
    told = {answers for minute in minutes for pod in (0, 1) for answers in happens(minute, pod)}
    for pod, (route, status) in itertools.product((0, 1), _ALL):
        if (route, status) not in {*told, ("/readyz", "200")}:
            continue
        value, values = 7.0, []
        for minute in minutes:
            counted = happens(minute, pod)
            value += counted.get((route, status), _PROBES if (route, status) == ("/readyz", "200") else 0.0)
            values.append(f"{value:.4f}")
        labels = f'route="{route}", status="{status}", pod="model-{pod}", job="model"'
        yield {"series": f"http_requests_total{{{labels}}}", "values": " ".join(values)}
