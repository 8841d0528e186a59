"""Whether what a server answered has the form that will be read, whoever wrote the server."""

from __future__ import annotations

from typing import Any

from mlops_lab.kube.client import Object
from mlops_lab.measure.traffic.http import Answer

LARGEST = 1e12  # a number that is read of an answer


def answered(answer: Answer) -> str:
    """An answer in a line."""
    return f"status {answer.status} (0: no answer) {answer.error} {answer.text[:80]}".strip()


def finite(given: Any) -> bool:
    """Is it a number to reckon with?"""
    return isinstance(given, int | float) and abs(given) < LARGEST


def texts(given: Any) -> bool:
    """Is it an object whose members are texts, as labels are?"""
    return isinstance(given, dict) and all(isinstance(each, str) for each in given.values())


def has_series(data: Object) -> bool:
    """Are they series with their labels?"""
    found = data.get("result")
    return isinstance(found, list) and all(isinstance(each, dict) and texts(each.get("metric")) for each in found)


def has_rules(data: Object) -> bool:
    """Are they groups of rules, with what a rule file has of them?"""

    def rule(given: Any) -> bool:
        return (
            isinstance(given, dict)
            and all(isinstance(given.get(name), str) for name in ("type", "name", "query"))
            and all(texts(given.get(name) or {}) for name in ("labels", "annotations"))
            and all(finite(given.get(name) or 0) for name in ("duration", "keepFiringFor"))
        )

    def group(given: Any) -> bool:
        rules = given.get("rules") if isinstance(given, dict) and isinstance(given.get("name"), str) else None
        return isinstance(rules, list) and finite(given.get("interval") or 0) and all(map(rule, rules))

    found = data.get("groups")
    return isinstance(found, list) and all(map(group, found))


def has_messages(said: Object) -> bool:
    """Are they messages of Alertmanager's, as the lab's inboxes have them?"""

    def alert(given: Any) -> bool:
        return isinstance(given, dict) and isinstance(given.get("annotations") or {}, dict)

    def message(given: Any) -> bool:
        if not isinstance(given, dict) or not finite(given.get("ago")) or not isinstance(given.get("message"), dict):
            return False
        alerts = given["message"].get("alerts")
        return isinstance(alerts, list) and all(map(alert, alerts))

    found = said.get("messages")
    return isinstance(said.get("last"), int) and isinstance(found, list) and all(map(message, found))
