"""What the learner's rules made of the faults that were replayed; which of their alerts call for no fallback."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from mlops_lab.kube.client import Object

from .day import OF_A_POD, Fired, Labels
from .fault import FIRES_WITHIN
from .plan import ENDS_WITHIN, STEP, Trial
from .why import BARE, PAGES_TOO, missed

LABELS = {"severity": ("critical", "warning"), "service": ("model",)}  # of each alert, and what they may say
UNTOLD = ("none", "info")  # severities of what is no alert to anybody
NOTES = ("summary", "runbook_url")  # the annotations of each alert
ERRORS = ("errors", "errors-few", "errors-all")  # the faults that an older release helps against


def answers(trial: Trial, fired: Sequence[Fired]) -> list[Fired]:
    """The alerts with the labels of a fault's alert."""
    wanted = {"severity": trial.severity, "service": "model"}
    return [each for each in fired if wanted.items() <= each.labels.items()]


def told(fired: Sequence[Fired]) -> list[Fired]:
    """Those that are alerts to somebody."""
    return [each for each in fired if each.labels.get("severity") not in UNTOLD]


def untold(fired: Sequence[Fired]) -> list[Fired]:
    """The others."""
    return [each for each in fired if each.labels.get("severity") in UNTOLD]


def wrong(name: str, trial: Trial, fired: Sequence[Fired], groups: Sequence[Object]) -> tuple[str, str] | None:
    """What is wrong with the alerts that fired in a fault's replay, and why; None if nothing is.

    Args:
        groups: of the rules that Prometheus has loaded.
    """
    right, new = answers(trial, fired), [each for each in told(fired) if each.since > 0]
    # What fired before is of something else, if not of nothing: that is for the normal day to tell.
    before = {each.labels.get("alertname") for each in right if each.since <= 0}
    right = [each for each in right if each.labels.get("alertname") not in before]
    soonest = min((each.since + later(each.labels, groups) for each in right), default=None)
    if soonest is None or soonest > FIRES_WITHIN:
        seen = "; ".join(str(each.labels) for each in new[:2]) or "nothing new"
        seen = f"{soonest} s" if soonest else "it fired before, too" if before else seen
        return seen, missed(name, soonest, bool(new), bool(before) and soonest is None)
    loud = [each.labels for each in new if each.labels.get("severity") == "critical"]
    if trial.severity != "critical" and loud:
        return f"{loud[0].get('alertname')} fires with severity critical as well", PAGES_TOO
    for each in right:
        if lacking := unnoted(each.labels, groups):
            return f"{each.labels.get('alertname')} has no {' and no '.join(lacking)}", BARE
    return None


def lingering(trials: Mapping[str, Trial], found: Mapping[str, Sequence[Fired]]) -> list[str]:
    """The critical faults after which no alert that told of them in time has ended in time, and what fires on."""
    said = []
    for name, trial in trials.items():
        right = answers(trial, found.get(name, ())) if trial.severity == "critical" else []
        in_time = {each.labels.get("alertname", "") for each in right if 0 < each.since <= FIRES_WITHIN}
        over = trial.lasts + ENDS_WITHIN
        late = {each.labels.get("alertname", "") for each in right if each.since + each.lasted > over}
        if in_time and in_time <= late:
            said.append(f"{trial.what}: {', '.join(sorted(in_time))} fires on")
    return said


def unlabelled(groups: Sequence[Object], targets: Sequence[Labels], found: Mapping[str, Sequence[Fired]]) -> list[str]:
    """Which alerts lack labels or annotations that each has to have, and what, whether they have fired or not.

    Args:
        targets: the labels of what is scraped. Where a series has a label, or the expression names it, the alert may
            have it from there, and only those that fired show it.
        found: what fired in the replays of the faults.
    """
    said = [
        f"{each.labels.get('alertname')} fired with {name} {each.labels.get(name) or 'empty'}"
        for fired in found.values()
        for each in told(fired)
        for name, texts in LABELS.items()
        if each.labels.get(name) not in texts
    ]
    rules = [rule for group in groups for rule in group["rules"]]
    of_series = {name for each in targets for name in each}
    of_series |= {name for rule in rules if rule["type"] == "recording" for name in rule.get("labels") or {}}
    for rule in rules:
        labels = rule.get("labels") or {}
        if rule["type"] != "alerting" or labels.get("severity") in UNTOLD:
            continue
        for name, texts in LABELS.items():
            elsewhere = name in of_series or re.search(rf"\b{name}\b", rule["query"])
            if name in labels and labels[name] not in texts and "{{" not in labels[name]:
                said.append(f"{rule['name']} has {name} {labels[name]}")
            elif name not in labels and not elsewhere:
                said.append(f"{rule['name']} has no {name}")
        said += [f"{rule['name']} has no {name}" for name in _without(rule)]
    return [*dict.fromkeys(said)]


def later(labels: Labels, groups: Sequence[Object]) -> int:
    """By how many seconds an alert may be later in life than in the replay, which evaluates every group each step."""
    waits = [groups[at].get("interval") or 0 for at, _ in _rules_of(labels, groups)]
    return max(0, round(min(waits, default=0)) - STEP)


def unnoted(labels: Labels, groups: Sequence[Object]) -> list[str]:
    """The annotations that the rule of an alert lacks."""
    return min(map(_without, _rules_of(labels, groups).values()), key=len, default=[])


def _without(rule: Object) -> list[str]:
    """The annotations that a rule lacks."""
    return [name for name in NOTES if not str((rule.get("annotations") or {}).get(name) or "").strip()]


def reasons_to_fall_back(trials: Mapping[str, Trial], found: Mapping[str, Sequence[Fired]]) -> list[str]:
    """The names of the right alerts that fired where too many requests failed."""
    fired = [each for name in ERRORS for each in answers(trials[name], found.get(name, ()))]
    return [*dict.fromkeys(each.labels.get("alertname", "") for each in fired if each.since > 0)]


def no_reason_to_fall_back(trials: Mapping[str, Trial], found: Mapping[str, Sequence[Fired]]) -> list[Labels]:
    """The labels of the alerts that fired in other faults than errors; of a rule that fires in those, too, as well.

    Of those that are alerts to somebody, the right ones. Of the others also those of the normal day, on which nothing
    is to be acted on; of those that differ by the pod alone, one.
    """
    elsewhere = {
        name: [each for each in found.get(name, ()) if each.since > 0] for name in trials if name not in ERRORS
    }
    labels = [each.labels for name, fired in elsewhere.items() for each in answers(trials[name], fired)]
    silent = [each for fired in elsewhere.values() for each in untold(fired)] + untold(found.get("normal", ()))
    alike: dict[tuple[tuple[str, str], ...], Labels] = {}
    for each in silent:
        alike.setdefault(tuple(pair for pair in sorted(each.labels.items()) if pair[0] not in OF_A_POD), each.labels)
    return [*(each for number, each in enumerate(labels) if each not in labels[:number]), *alike.values()]


def _rules_of(labels: Labels, groups: Sequence[Object]) -> dict[tuple[int, int], Object]:
    """The rules that an alert may be of, by where they stand: its name, and the labels that are no templates."""
    named = {
        (at, number): rule
        for at, group in enumerate(groups)
        for number, rule in enumerate(group["rules"])
        if rule["type"] == "alerting" and rule["name"] == labels.get("alertname")
    }
    alike = {
        place: rule
        for place, rule in named.items()
        if all(labels.get(key) == text or "{{" in text for key, text in (rule.get("labels") or {}).items())
    }
    return alike or named
