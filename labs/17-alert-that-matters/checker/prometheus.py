"""The learner's Prometheus: what it has loaded, what it scrapes, and which alerts it knows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from mlops_lab.checks import Lab
from mlops_lab.kit.prerequisites import must
from mlops_lab.kube.client import Object
from mlops_lab.measure.traffic.http import Answer

from .forms import answered, has_rules, has_series

PODS = 3
SCRAPED_WITHIN = 45  # s for the three pods to be targets that answered
ANSWERS_WITHIN = 20  # s; it may have started just now


@dataclass
class Loaded:
    """What Prometheus has: its groups of rules, the labels of the model's targets, and of what else it scrapes."""

    groups: list[Object]
    targets: list[dict[str, str]]
    others: list[dict[str, str]]


async def api(lab: Lab, path: str, form: Callable[[Object], bool]) -> Object:
    """What Prometheus' API answers.

    Args:
        form: whether there is in it what will be read.
    """

    def data(answer: Answer) -> Object:
        found = answer.fields_if_any.get("data")
        return found if isinstance(found, dict) else {}

    seen = await lab.time.eventually(
        lambda: lab.traffic.get("prometheus", path, port=9090),
        lambda answer: answer.status == 200 and form(data(answer)),
        expected="Prometheus answers at Service prometheus:9090",
        shown=answered,
        within=ANSWERS_WITHIN,
    )
    must(seen, "the Service's selector and targetPort must lead to Prometheus: kubectl get endpointslices")
    return data(seen.value)


async def query(lab: Lab, expr: str) -> list[Object]:
    """The series of an instant query, as the API has them."""
    return list((await api(lab, f"/api/v1/query?query={quote(expr)}", has_series))["result"])


async def loaded(lab: Lab) -> Loaded:
    """What Prometheus has, once it has scraped the model's pods or should have."""

    async def targets() -> list[dict[str, str]]:
        found = await query(lab, 'count without (route, status) (http_requests_total{route="/predict"})')
        return [dict(each["metric"]) for each in found]

    seen = await lab.time.eventually(
        targets, lambda found: len(found) == PODS, expected="three pods",
        shown=lambda found: f"{len(found)} of {PODS} pods scraped", within=SCRAPED_WITHIN, every=2,
    )  # fmt: skip
    groups = (await api(lab, "/api/v1/rules?exclude_alerts=true", has_rules))["groups"]
    jobs = {each.get("job") for each in seen.value}
    up = [{key: value for key, value in each["metric"].items() if key != "__name__"} for each in await query(lab, "up")]
    return Loaded(groups, seen.value, [each for each in up if each.get("job") not in jobs])


def in_words(found: Sequence[Object]) -> list[str]:
    """The series ALERTS in words; a rule may record one of that name, without its labels."""
    return sorted({" ".join(each["metric"].get(name, "?") for name in ("alertname", "alertstate")) for each in found})


def rule_file(groups: Sequence[Object]) -> dict[str, Any]:
    """A rule file of what Prometheus says that it has loaded."""

    def rule(given: Object) -> Object:
        common = {"expr": given["query"], "labels": given.get("labels") or {}}
        if given["type"] == "recording":
            return {"record": given["name"], **common}
        return {
            "alert": given["name"], **common,
            "annotations": given.get("annotations") or {}, "for": f"{round(given.get('duration') or 0)}s",
            "keep_firing_for": f"{round(given.get('keepFiringFor') or 0)}s",
        }  # fmt: skip

    return {
        "groups": [
            {"name": f"{number}-{group['name']}", "rules": [rule(each) for each in group["rules"]]}
            for number, group in enumerate(groups)
        ]
    }
