"""The reports in the book, and which of them the collector has made, as its own log tells."""

from __future__ import annotations

import ast
import json
from collections.abc import Sequence
from dataclasses import replace

from mlops_lab.checks import Lab, Observation, holds
from mlops_lab.kit import jobs
from mlops_lab.kit.deployments import owned_pods
from mlops_lab.kit.logs import last_lines
from mlops_lab.kit.pods import leaving
from mlops_lab.kit.volumes import config_maps
from mlops_lab.kube.client import Object

TAIL = 20  # lines of the log: those of 40 s
KNOWN = 200  # reports of before that are looked for among twice as many afterwards
REPORT_WITHIN = 15  # s, of which the collector needs 2
WATCHED = 5  # s, in which whoever runs the collector's program reports twice
TOLD_WITHIN = 10  # s; a log may be read a little later than it is written
JOB_WITHIN = 15  # s for a Job of a CronJob's to report; with the others no more than the log's lines go back
REPORTS = "/reports", "collector.py"  # of these one stands where somebody reports, or asks for reports
GIVEN = "programs", "archive"  # ConfigMaps that say nothing of who mounts them


async def newest_reports(lab: Lab, last: int) -> list[Object]:
    """The newest reports in the book; none if there is no answer."""
    answer = await lab.traffic.get("book", f"/reports?last={last}", within=5)
    found = answer.fields_if_any.get("reports")
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


async def delivered(lab: Lab) -> Observation:
    """Wait for a new report in the book that a pod of the collector's says it has made; the value is that report."""
    before = [each.get("id") for each in await newest_reports(lab, KNOWN)]

    async def look() -> tuple[Object, Object]:
        pods = [pod for pod in await owned_pods(lab, "collector") if not leaving(pod)]
        own = [reported(line) for pod in pods for line in await last_lines(lab, pod, TAIL)]
        there = await newest_reports(lab, KNOWN)
        new = [each for each in there if each.get("id") not in before and each in own]
        return _last(new), _last(there)

    seen = await lab.time.eventually(
        look,
        lambda found: bool(found[0]),
        expected="a new report in the book that the collector's log tells of",
        shown=lambda found: f"the newest report is {found[0] or found[1]}" if any(found) else "there is no report",
        within=REPORT_WITHIN,
    )
    seen = replace(seen, value=seen.value[0])
    return seen if seen.ok else replace(seen, evidence=await lab.objects.evidence("Deployment", "collector"))


async def of_nobody_else(lab: Lab, report: Object) -> Observation:
    """Whether all that comes into the book after a report of the collector's is in the log of a pod of its own.

    A book that is slow may have taken one whose answer the collector has not waited for.
    """
    await lab.time.pause(WATCHED)
    there = await newest_reports(lab, KNOWN)
    new = there[there.index(report) + 1 :] if report in there else []
    told: list[str] = []

    async def look() -> list[Object]:
        for pod in await owned_pods(lab, "collector"):  # those that end may have made one, too
            told.extend([line for line in await last_lines(lab, pod, TAIL) if line not in told])
        own = list(map(reported, told))
        others = [each for each in new if each not in own]
        return others[sum("timed out" in line for line in told) :]

    seen = await lab.time.eventually(
        look,
        lambda others: not others,
        expected="",
        shown=lambda others: f"{len(others)} of {len(new)}, such as {others[0]}" if others else "there are none",
        within=TOLD_WITHIN,
    )
    return holds(seen.ok, "no reports in the book that the collector's log does not tell of", seen.seen)


async def of_no_cronjob(lab: Lab) -> Observation:
    """Whether no CronJob reports to the book: a Job of each that has to do with reports is started now."""
    expected = "no CronJob reports to the book"
    for each in await lab.objects.all("CronJob"):
        if each["spec"].get("suspend") or not await _about_reports(lab, each):
            continue
        named = each["metadata"]["name"]
        before = await delivered(lab)
        if not before.ok:
            return before
        async with jobs.started_from(lab, named) as job:
            await jobs.ended(lab, job, within=JOB_WITHIN)
            alone = await of_nobody_else(lab, before.value)
        if not alone.ok:
            return holds(False, expected, f"a Job of CronJob {named} does: {alone.seen}")
    return holds(True, expected, "")


async def _about_reports(lab: Lab, cronjob: Object) -> bool:
    """Is there a word of reports in what a CronJob's pods run, or in a file that they get?"""
    spec = cronjob["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    files = [await lab.objects.named("ConfigMap", each).now() for each in config_maps(spec) if each not in GIVEN]
    text = json.dumps([spec, *((each or {}).get("data") for each in files)])
    return any(each in text for each in REPORTS)


def reported(line: str) -> Object:
    """The report that a line of the collector's log tells of; empty if it tells of none."""
    word, _, text = line.partition(" ")
    try:
        found = ast.literal_eval(text) if word == "reported" else {}
    except (ValueError, SyntaxError):  # it was cut off
        return {}
    return found if isinstance(found, dict) else {}


def _last(found: Sequence[Object]) -> Object:
    return found[-1] if found else {}
