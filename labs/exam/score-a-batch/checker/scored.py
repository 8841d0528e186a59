"""What a Job's pods have printed about flights, and what the Service says about the same."""

from collections import Counter
from typing import Any

from mlops_lab.checks import Observation, at_most, observe
from mlops_lab.kit import jobs
from mlops_lab.kit.json_lines import json_objects
from mlops_lab.kit.pods import name
from mlops_lab.measure.traffic.flights import difference
from mlops_lab.tasks.lab import TaskLab

_MOST = 1 << 20  # bytes of a log
Parts = list[list[dict[str, Any]]]


async def lines_of(lab: TaskLab, job: str) -> dict[int, list[dict[str, Any]]]:
    """The JSON objects about flights in the logs of a Job's pods that succeeded, by completion index."""
    found: dict[int, list[dict[str, Any]]] = {}
    for pod in await jobs.pods_of(lab, job):
        index = (pod["metadata"].get("annotations") or {}).get("batch.kubernetes.io/job-completion-index", "")
        if (pod.get("status") or {}).get("phase") == "Succeeded" and index.isdecimal():
            log = await lab.objects.logs(name(pod), pod["spec"]["containers"][0]["name"], tail=None, limit=_MOST)
            found[int(index)] = [each for each in json_objects(log.splitlines()) if each and "flight" in each]
    return found


def each_once(lines: dict[int, list[dict[str, Any]]], parts: Parts) -> Observation:
    """Has each part's own pod printed its flights, each once, and no other?"""
    wrong = []
    for index, part in enumerate(parts):
        wanted = Counter(each["flight"] for each in part)
        given = Counter(str(each["flight"]) for each in lines.get(index, []))
        if given != wanted:
            wrong.append(f"index {index}: {given.total()} lines, {(given & wanted).total()} of its {len(part)} flights")
    count = sum(map(len, parts))
    expected = f"each of {count} flights once, in the log of its part's pod"
    return Observation(not wrong, expected, "; ".join(wrong) or f"{count} flights, each once")


async def as_the_model_says(
    lab: TaskLab, service: str, lines: dict[int, list[dict[str, Any]]], parts: Parts
) -> Observation:
    """The largest difference of a printed probability from what the Service answers now."""
    flights = [each for part in parts for each in part]
    rows = [{key: value for key, value in each.items() if key != "flight"} for each in flights]
    answer = await lab.traffic.first_answer(
        lambda: lab.traffic.post(service, "/predict", {"rows": rows}), within=20
    )  # fmt: skip
    said = {str(each["flight"]): each.get("probability") for found in lines.values() for each in found}
    given = answer.fields().get("probabilities")
    wanted = given if isinstance(given, list) else []
    apart = difference([said.get(each["flight"]) for each in flights], wanted)
    return observe("largest difference from the Service's answer", apart, at_most(1e-6), timed=False)
