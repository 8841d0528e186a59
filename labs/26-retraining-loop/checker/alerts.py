"""Alerts about drift: messages as Alertmanager posts them to Service `alerts`, and what fires in Prometheus."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime

from mlops_lab.checks import Lab
from mlops_lab.kube.client import Object

FEATURE, PREDICTION = "FeatureDrift", "PredictionDrift"
DRIFT = f"{PREDICTION}|{FEATURE}"
# Alerts about something else: the platform's own about services, and of what drifts where nobody asks a model.
OTHERS = (
    "ContainerThrottled", "ModelNotLoaded", "ServingErrorsFast", "ServingErrorsSlow", "ServingLatencyHigh",
)  # fmt: skip
ALIKE = ("NodeClockDrift", "ConfigDrift", "TerraformDrift", "ScheduleDrift")
# Names with more before, behind or between, and one in another letter: Prometheus tells them apart.
NEARLY = (
    "FeatureDriftSilenced", "PredictionDriftBudget", "SlowFeatureDrift", "NoPredictionDrift", "FeatureStoreDrift",
    "PredictionLatencyDrift", "featureDrift",
)  # fmt: skip
OF_THE_MODEL = "PredictionsAlike"  # the platform's own, with the labels that an alert about drift has


def now() -> datetime:
    """The time, as messages have it."""
    return datetime.now(UTC)


async def post(lab: Lab, body: Object) -> int:
    """Post a message as Alertmanager does: again when the answer is an error, three times at most; the last status."""
    status = 0
    for _ in range(3):
        status = (await lab.traffic.post("alerts", "/", body, within=15)).status
        if 200 <= status < 300 or 400 <= status < 500:
            break
        await lab.time.pause(1)
    return status


def alert(lab: Lab, began: datetime, ended: datetime | None = None, *, name: str = FEATURE, of: str = "") -> Object:
    """An alert of this namespace as messages have it; the same labels, the same fingerprint.

    Args:
        began: when it began to fire.
        ended: when it was over; None while it goes on.
        of: what drifts; empty for an alert about something else.
    """
    labels = {"alertname": name, **lab.platform.prometheus.labels, "app": "model", "severity": "warning"}
    labels |= {"of": of} if of else {}
    known = hashlib.sha256(json.dumps(labels, sort_keys=True).encode())
    return {
        "status": "resolved" if ended else "firing", "labels": labels,
        "annotations": {"summary": f"{name}: {of or 'all'} of model"}, "startsAt": _stamp(began),
        "endsAt": _stamp(ended) if ended else "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus:9090/graph", "fingerprint": known.hexdigest()[:16],
    }  # fmt: skip


def message(*alerts: Object) -> Object:
    """Alertmanager's message (version 4) about a group: alerts of one name. It fires while one of them does."""
    group = {name: alerts[0]["labels"][name] for name in ("alertname", "app", "namespace")}
    status = "firing" if any(each["status"] == "firing" for each in alerts) else "resolved"
    key = '{}/{namespace=~"^(?:(.+-)?lab-[0-9]+)$"}:{' + ", ".join(f'{name}="{group[name]}"' for name in group) + "}"
    return {
        "receiver": "own", "status": status, "alerts": list(alerts), "groupLabels": group,
        "commonLabels": _common(alerts, "labels"), "commonAnnotations": _common(alerts, "annotations"),
        "externalURL": "http://alertmanager:9093", "version": "4", "groupKey": key, "truncatedAlerts": 0,
    }  # fmt: skip


def _common(alerts: Sequence[Object], what: str) -> dict[str, str]:
    """What all of them have."""
    first, *others = (each[what] for each in alerts)
    return {name: value for name, value in first.items() if all(each.get(name) == value for each in others)}


def _stamp(when: datetime) -> str:
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def active_alerts(lab: Lab, *, pending: bool = False) -> list[str]:
    """The alerts about drift that fire, or also those that would in a moment."""
    state = "firing|pending" if pending else "firing"
    query = f'ALERTS{{alertstate=~"{state}",{lab.platform.prometheus.matcher},alertname=~"{DRIFT}"}}'
    found = await lab.platform.prometheus.query(query)
    return sorted({f"{each.labels['alertname']} of {each.labels.get('of')}" for each in found})


def listed(alerts: list[str]) -> str:
    """Alerts in words."""
    return ", ".join(alerts) or "no alert"
