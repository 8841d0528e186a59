"""Lab 17: the learner's rules on the day and the faults that are replayed, and their alerts when the model fails.

Four stages, each run once: the replays by promtool, beside all others; requests through the gateway; alerts that the
checker posts to Alertmanager; and then the fault itself. Each begins with all flights complete and v2 in service, and
so it is left.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import importlib.util
import json
import re
import sys
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mlops_lab.checks import (
    Lab,
    LabError,
    Observation,
    at_most,
    check,
    equal_to,
    expect,
    observe,
    rolled_out,
    rollout_state,
)

Object = dict[str, Any]

HERE = Path(__file__).parent
READY_WITHIN = 90  # s for what is applied to run
SCRAPED_WITHIN = 45  # s for the three pods to be targets that answered
PODS = 3
REPLAYED_WITHIN = 300  # s for promtool to go through the day and the faults, on a busy machine; alone it takes 5 s
FIRES_WITHIN = 120  # s from the fault, in the replays and in the cluster
TOLD_WITHIN = 60  # s from an alert in Alertmanager to its message
MORE_WITHIN = 6  # s in which the rest comes, where one message of a kind has come
OLD, GOOD = "v1", "v2"  # the release to fall back to, and the one in service
SHARE, LARGER_SHARE = 0.1, 0.5  # of the requests that come without weather
BACK_WITHIN = 45  # s from the page until the release before is asked for
CALM = 7  # s without a failure, after which the fault is over
OVER_WITHIN = 60  # s for that, from when the release before is asked for
RESOLVED_WITHIN = 90  # s from the last failed request
AFTERWARDS = 12  # s in which nothing more may be changed
ANSWERS_WITHIN = 20  # s for the gateway to answer as it should
BURIED = 16  # requests after those that are looked for
TRACED_WITHIN = 30
LOOK_EVERY = 2  # s; messages tell themselves how long ago they came
LARGEST = 1e12  # a number that is read of an answer


def _beside(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"{__name__}_{name}", HERE / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up there
    spec.loader.exec_module(module)
    return module


day = _beside("day")


@check(points=1, domains=("ckad/observability-and-maintenance",))
async def rules_are_loaded(lab: Lab) -> None:
    """Deployment `prometheus` runs with your rules, an alert among them, and scrapes the three pods of the model."""
    await runs(lab, "prometheus")
    found = await lab.once(loaded)
    alerts = [rule["name"] for group in found.groups for rule in group["rules"] if rule["type"] == "alerting"]
    expect(Observation(bool(alerts), "at least one alert in its rules", f"{len(alerts)} alerts")).because(
        "rule_files in prometheus.yml names the files, relative to its own folder; a file that is not there is no "
        "error. kubectl exec deployment/prometheus -- /bin/promtool check config /etc/prometheus/prometheus.yml says "
        "what it finds"
    )
    expect(
        Observation(
            len(found.targets) == PODS,
            f"requests to /predict counted at {PODS} pods",
            f"at {len(found.targets)}: {', '.join(each.get('pod', '?') for each in found.targets) or 'none'}",
        )
    ).because("without its metrics there is nothing to alert on; /api/v1/targets of Prometheus says what it scrapes")


@check(points=4, needs=rules_are_loaded, domains=("ckad/observability-and-maintenance",))
async def silent_through_a_normal_day(lab: Lab) -> None:
    """A normal day, replayed from midnight to midnight against the rules that Prometheus has loaded: no alert fires.

    Alerts whose label `severity` is `none` or `info` may fire.
    """
    noise = sorted((await lab.once(replayed)).get("normal", []), key=lambda each: each.since)
    said = dict.fromkeys(f"{each.labels.get('alertname')} at {clock(each.since)} for {each.lasted} s" for each in noise)
    expect(
        Observation(
            not noise,
            "no alert fires",
            "; ".join([*said][:4]) or "silent all day",
            evidence=tuple(dict.fromkeys(day.story(each.since) for each in noise[:6])),
        )
    ).because(disturbed(noise[0].since) if noise else "")


@check(points=4, needs=rules_are_loaded, domains=("ckad/observability-and-maintenance",))
async def fires_for_each_fault(lab: Lab) -> None:
    """Five faults, replayed against your rules: within 120 s an alert fires, with the right labels.

    `severity: critical` where requests fail or nobody answers, `severity: warning` where answers are slow; and always
    `service: model`.
    """
    found = await lab.once(replayed)
    missing, first = [], ""
    for name, trial in day.TRIALS.items():
        fired = found.get(name, [])
        new = [each for each in fired if each.since > 0]
        right = [
            each
            for each in new
            if each.labels.get("severity") == trial.severity and each.labels.get("service") == "model"
        ]
        soonest = min((each.since for each in right), default=None)
        if soonest is None or soonest > FIRES_WITHIN:
            first = first or missed(name, soonest, bool(new))
            seen = f"{soonest} s" if soonest else "; ".join(str(each.labels) for each in new[:2]) or "nothing new"
            missing.append(f"{trial.told} ({trial.severity}): {seen}")
    expect(
        Observation(
            not missing,
            f"an alert of the right severity about service model within {FIRES_WITHIN} s of each of five faults",
            f"not for {len(missing)} of them" if missing else "it fires for each of them",
            evidence=tuple(missing),
        )
    ).because(first)


@check(points=3, domains=("ckad/observability-and-maintenance",))
async def routes_and_groups(lab: Lab) -> None:
    """The checker posts alerts about a service of next week to your Alertmanager: all go where they should, once.

    Three pods with the same critical alert: one message, at the pager, within 60 s. A warning about the same service:
    no message while the critical one lasts. A warning about another service: a message in the chat.
    """
    await runs(lab, "alertmanager")
    story = await lab.once(told)
    for name, seen in (("critical", story.pages), ("warning", story.notes)):
        place = "pager" if name == "critical" else "chat"
        expect(
            Observation(
                bool(seen),
                f"the {name} alert reaches the {place} within {TOLD_WITHIN} s",
                f"{story.elsewhere(name)} within {story.waited:.0f} s" if not seen else "it does",
            )
        ).because(
            "it is inhibited: an inhibit rule without `equal` holds between all services, and a critical alert about "
            "one silences the warnings about every other. equal: the labels that both must have alike"
            if name == "warning" and story.inhibited
            else "an alert goes down the tree of routes by its labels, to the first child that matches, and to the "
            "root's receiver where none does. It is told group_wait after the first of its group came (30 s by "
            "default). amtool config routes test --config.file=alertmanager.yml severity=critical shows where it ends"
        )
    expect(observe("warnings at the pager", story.woken, equal_to(0))).because(
        "nobody has to get up for a warning: the pager's route must match severity critical alone"
    )
    alerts = max((len(message["alerts"]) for message in story.pages), default=0)
    expect(
        Observation(
            len(story.pages) == 1 and alerts == PODS,
            f"1 message about {PODS} pods",
            f"{len(story.pages)} messages, with {alerts} alert{'s' * (alerts != 1)} at most",
        )
    ).because(
        "group_by names the labels that the alerts of one message share. A label that differs from pod to pod makes a "
        "group, and so a message, of each pod; with a group_wait of 0 the first pod does not wait for the others"
    )
    expect(
        Observation(
            not story.doubled,
            "no warning about what the pager has rung for",
            f"{story.doubled} such warnings in the chat",
        )
    ).because(
        "an inhibit rule silences its targets while one of its sources fires. Source: critical; target: warning; "
        "equal: the labels in which the two must agree"
    )


@check(points=3, domains=("ckad/observability-and-maintenance", "cka/troubleshooting"))
async def finds_a_request(lab: Lab) -> None:
    """`./trace ID` prints what gateway and model have logged about one request, as JSON, within 30 s.

    The checker asks the gateway three times: with an id of its own in X-Request-ID, without one, and with rubbish that
    the model answers with 422. The answer has the id in its header X-Request-ID. More requests follow, and then
    `./trace` is called with each id. Each line has `service` (`gateway` or `model`), `request_id` and `status`.
    """
    for request in await lab.once(asked):
        must(
            observe(f"status of POST /predict {request.what}", request.answered, equal_to(request.status)),
            "the gateway hands on what it gets, and answers what it is answered: kubectl logs deployment/gateway",
        )
        must(
            Observation(
                bool(request.id) and request.id == (request.given or request.id),
                f"the answer's header X-Request-ID: {request.given or 'an id that the gateway has made'}",
                request.id or "no such header",
            ),
            "who complains has the id from the answer. An id that came with the request is taken over, and where none "
            "came the gateway makes one",
        )
    found = await lab.once(traced)
    for request, how in found:
        must(how, "it has to end by itself, and soon: each log is read once. kubectl logs --follow never ends")
        for service in ("gateway", "model"):
            lines = [each for each in request.lines if each.get("service") == service]
            must(
                Observation(
                    bool(lines),
                    f"./trace {request.id} prints a line of {service}",
                    f"{len(request.lines)} lines with this id, none of {service}",
                    evidence=request.printed,
                ),
                untraced(service, request),
            )
            statuses = [each.get("status") for each in lines]
            must(
                Observation(
                    request.status in statuses,
                    f"status {request.status} in the line of {service} about {request.id}",
                    f"status {', '.join(map(str, statuses[:5]))}",
                    evidence=request.printed,
                ),
                "the line tells how the request ended: the status that was answered, as a number",
            )
        must(
            Observation(
                not request.foreign,
                f"./trace {request.id} prints no line of another request",
                f"{request.foreign} such lines",
                evidence=request.printed,
            ),
            "only the lines of this one request: compare request_id, whole. An id may be the beginning of another one",
        )
    expect(Observation(True, "all are found", f"{len(found)} requests, each in both logs")).because("")


@check(points=3, needs=(rules_are_loaded, routes_and_groups), domains=("ckad/observability-and-maintenance",))
async def pages_within_two_minutes(lab: Lab) -> None:
    """One request in ten comes without weather, and v2 fails: within 120 s the pager has a message that helps.

    Its alert has `severity: critical` and `service: model`, and the annotations `summary` and `runbook_url`.
    """
    story = await lab.once(failing)
    expect(
        Observation(
            story.page is not None, f"a message about service model at the pager within {FIRES_WITHIN} s",
            "there is one" if story.page else story.unheard(),
        )
    ).because(
        "Prometheus sends alerts to what alerting.alertmanagers in prometheus.yml names: http://prometheus:9090/"
        "api/v1/alertmanagers shows whom. From there the first route that matches takes the alert, and no other one "
        "does unless it says continue: true. kubectl logs deployment/alertmanager tells of receivers that don't answer"
    )  # fmt: skip
    assert story.page is not None
    expect(
        observe("from the first failed request to the message", story.page.after, at_most(FIRES_WITHIN), unit="s")
    ).because(
        "the time adds up: until the window is full enough of failures, then `for`, then group_wait, and up to 10 s "
        "each for the scrape and the evaluation"
    )
    notes = story.page.alert.get("annotations") or {}
    lacking = [name for name in ("summary", "runbook_url") if not str(notes.get(name) or "").strip()]
    broken = [name for name, text in notes.items() if "<no value>" in str(text) or "<error " in str(text)]
    expect(
        Observation(
            not lacking and not broken,
            "annotations summary and runbook_url",
            f"without {' and '.join(lacking)}"
            if lacking
            else f"a template that fails in {', '.join(broken)}"
            if broken
            else str(notes["summary"]),
        )
    ).because(
        "whoever is woken at three has this message and nothing else: what is wrong, in a sentence with its figure, "
        "and where it says what to do. Both are annotations of the rule"
    )


@check(points=2, needs=pages_within_two_minutes, domains=("ckad/observability-and-maintenance",))
async def resolves(lab: Lab) -> None:
    """The fault is over: within 90 s of the last failed request the pager hears that as well."""
    story = await lab.once(failing)
    if not whole(lab):
        return  # it ended early
    expect(
        Observation(
            story.resolved is not None,
            f"the alert at the pager with status resolved, within {RESOLVED_WITHIN} s of the last failed request",
            f"{story.resolved:.0f} s after it"
            if story.resolved is not None
            else f"not after {story.waited_for_end:.0f} s",
        )
    ).because(
        "send_resolved has to be true. The message leaves with the group's next one, up to group_interval (5 minutes "
        "by default) after the one before; and Prometheus calls the alert over when its expression is: a long window, "
        "or keep_firing_for, makes that late"
    )


@check(points=3, needs=pages_within_two_minutes, domains=("ckad/deployment",))
async def falls_back_once(lab: Lab) -> None:
    """Once the pager has rung, v1 is in service within 45 s, without anybody's doing; and it stays, also afterwards.

    No other alert may bring it: while the checker posted its own critical one, v2 stayed.
    """
    posted, story = await lab.once(told), await lab.once(failing)
    expect(
        Observation(
            not posted.changed, "v2 in service while a critical alert about another service fires",
            f"{posted.changed} in service" if posted.changed else "v2 in service",
        )
    ).because(
        "an expired certificate does not get better by an older model. Only the alert that a fallback helps against "
        "may reach the responder (a label of its own, or its name, in the route's matchers), or be acted upon there"
    )  # fmt: skip
    expect(
        Observation(
            story.images == [GOOD, OLD],
            f"Deployment model changes once, from {GOOD} to {OLD}, within {BACK_WITHIN} s of the page",
            " -> ".join(story.images) + ("" if len(story.images) > 1 else f", and stays so for {BACK_WITHIN} s"),
        )
    ).because(
        "kubectl logs deployment/responder shows what it did. A message comes when an alert begins, again when another "
        "one joins its group, and once more when it is over, with status resolved: so look at the status, and put a "
        "release into service rather than `the other one`, which comes out right only every second time"
    )  # fmt: skip


# What there is.


@dataclass
class Loaded:
    """What Prometheus has: its groups of rules, the labels of the model's targets, and of what else it scrapes."""

    groups: list[Object]
    targets: list[dict[str, str]]
    others: list[dict[str, str]]


async def runs(lab: Lab, name: str) -> None:
    """A Deployment with all of its pods up to date and ready, and behind the Service of its name."""
    deployment = lab.objects.deployment(name)
    if await deployment.now() is None:
        expect(Observation(False, f"a Deployment named {name}", "there is none in this namespace")).because(
            "nothing runs before it is applied: kubectl apply -k ."
        )
    item = await deployment.now() or {}
    labels = item.get("spec", {}).get("selector", {}).get("matchLabels") or {}
    selector = ",".join(f"{key}={value}" for key, value in labels.items())

    async def state() -> tuple[Object | None, list[Object]]:
        return await deployment.now(), await lab.objects.all("Pod", selector)

    seen = await lab.time.eventually(
        state, lambda now: rolled_out(now[0]) or ends_again(now[1]), expected=f"all pods of Deployment {name} ready",
        shown=lambda now: rollout_state(now[0]), within=READY_WITHIN,
    )  # fmt: skip
    ready = rolled_out(seen.value[0])
    lines = () if ready else await complaints(lab, seen.value[1]) or (await deployment.rolled_out(within=0)).evidence
    again = ", and the container ends again and again" if not ready and ends_again(seen.value[1]) else ""
    expect(Observation(ready, seen.expected, seen.seen + again, evidence=lines)).because(
        f"kubectl logs deployment/{name} says what it does not like about its configuration, with file and line. Where "
        "the one before still runs, that one goes on with the configuration before"
    )


def ends_again(pods: list[Object]) -> bool:
    """Has a container been started three times?"""
    states = [each for pod in pods for each in pod.get("status", {}).get("containerStatuses") or ()]
    return any(each.get("restartCount", 0) >= 2 and not each.get("ready") for each in states)


async def complaints(lab: Lab, pods: list[Object]) -> tuple[str, ...]:
    """What the newest of a Deployment's pods logged when it ended."""
    if not pods:
        return ()
    newest = max(pods, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))["metadata"]["name"]
    for previous in (True, False):
        with contextlib.suppress(LabError):
            text = await lab.objects.logs(newest, tail=30, previous=previous)
            lines = [line for line in text.splitlines() if re.search(r"\berr(or)?=|level=error|Error", line)]
            if lines:
                return tuple(plain(line) for line in lines[-3:])
    return ()


def plain(line: str) -> str:
    """What a line of a log complains about; without the folder that a ConfigMap's files really lie in."""
    said = re.sub(r"^.*?\berr(or)?=", "", line).replace('\\"', '"').strip('"')
    return re.sub(r"\.\.\d{4}_[^/\s]+/", "", said)[-500:]


def must(seen: Observation, why: str) -> None:
    """What a stage needs; it is no news where it is as expected."""
    if not seen.ok:
        expect(seen).because(why)


async def api(lab: Lab, path: str, form: Callable[[Object], bool], within: float = 20) -> Object:
    """What Prometheus' API answers; asked again for a while, as it may have started just now.

    Args:
        form: whether there is in it what will be read.
    """

    def data(answer: Any) -> Object:
        found = answer.fields_if_any.get("data")
        return found if isinstance(found, dict) else {}

    seen = await lab.time.eventually(
        lambda: lab.traffic.get("prometheus", path, port=9090), lambda answer: answer.status == 200 and form(data(answer)),
        expected="Prometheus answers at Service prometheus:9090", shown=answered, within=within,
    )  # fmt: skip
    must(seen, "the Service's selector and targetPort must lead to Prometheus: kubectl get endpointslices")
    return data(seen.value)


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
        return (
            isinstance(given, dict)
            and isinstance(given.get("name"), str)
            and isinstance(given.get("rules"), list)
            and all(map(rule, given["rules"]))
        )

    found = data.get("groups")
    return isinstance(found, list) and all(map(group, found))


def finite(given: Any) -> bool:
    """Is it a number to reckon with?"""
    return isinstance(given, int | float) and abs(given) < LARGEST


def answered(answer: Any) -> str:
    return f"status {answer.status} (0: no answer) {answer.error} {answer.text[:80]}".strip()


async def query(lab: Lab, text: str) -> list[Object]:
    return list((await api(lab, f"/api/v1/query?query={quote(text)}", has_series))["result"])


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
    others = [each for each in up if each.get("job") not in jobs]
    return Loaded(groups, seen.value, others)


# The replays.


def rule_file(groups: list[Object]) -> Object:
    """A rule file of what Prometheus says that it has loaded."""

    def rule(given: Object) -> Object:
        if given["type"] == "recording":
            return {"record": given["name"], "expr": given["query"], "labels": given.get("labels") or {}}
        return {
            "alert": given["name"], "expr": given["query"], "labels": given.get("labels") or {},
            "annotations": given.get("annotations") or {}, "for": f"{round(given.get('duration') or 0)}s",
            "keep_firing_for": f"{round(given.get('keepFiringFor') or 0)}s",
        }  # fmt: skip

    return {
        "groups": [
            {"name": f"{number}-{group['name']}", "rules": [rule(each) for each in group["rules"]]}
            for number, group in enumerate(groups)
        ]
    }


async def replayed(lab: Lab) -> dict[str, list[Any]]:
    """The alerts that fired on the normal day and in the faults."""
    found = await lab.once(loaded)
    hours = 24 if lab.thorough(silent_through_a_normal_day, fires_for_each_fault) else 4
    files = {
        "rules.json": day.written(rule_file(found.groups)),
        "replays.json": day.written(day.replays(found.targets, found.others, "rules.json", hours)),
    }
    try:
        output = await promtool(lab, files)
    except LabError as trouble:
        if "did not end" not in trouble.message:
            raise
        # Where the day alone does not end either, it is the machine: an error.
        await promtool(lab, files | {"rules.json": '{"groups": []}'})
        expect(Observation(False, f"the day is replayed within {REPLAYED_WITHIN} s", "promtool did not end")).because(
            "without rules it does: one of your expressions takes very long. A subquery over hours, at a small step, "
            "does"
        )
        raise AssertionError from trouble
    wrong = complained(output.text)
    wrong += [] if wrong or not output.code or "got:" in output.text else output.text.split("\n")[-5:]
    must(
        Observation(not wrong, "rules that can be evaluated", "promtool could not", evidence=tuple(wrong[:3])),
        "the expression is well formed, and fails on the day's series: two sides of an operator that don't match one "
        "to one, say; or more alerts fire than can be counted",
    )
    return dict(day.fired(output.text))


def complained(output: str) -> list[str]:
    """The lines in which promtool says that it could not do something; what fired (`got: `) may have any labels."""
    lines = [line.strip()[:400] for line in output.splitlines() if "got: " not in line]
    return [line for line in lines if "err: " in line or "error: " in line]


async def promtool(lab: Lab, files: dict[str, str]) -> Any:
    """`promtool test rules`, in the image of Prometheus that the lab's start names."""
    text = (HERE.parent / "start" / "monitoring.yaml").read_text()
    named = re.search(r"image: [^/\s]+/(\S+/prometheus:\S+)", text)
    assert named
    output = await lab.programs.run(
        named[1], "/bin/promtool", "test", "rules", "/checker/replays.json", files=files, within=REPLAYED_WITHIN
    )
    if output.code not in (0, 1):
        raise LabError(f"promtool ended with {output.code}", "see lab status", output.text[-2000:])
    return output


def clock(at: int) -> str:
    return f"{at // 3600:02}:{at % 3600 // 60:02}"


def disturbed(at: int) -> str:
    """Why a rule fires at a time of the normal day."""
    if day.LONELY_ERROR <= at < day.DEPLOYS[0]:
        return (
            "where one request comes in two minutes, one that fails is 100 %. Ask for some traffic as well (`and ... > "
            "...`), or for more than one scrape's worth: a request is seen in rate(...[w]) for w, so `for` must not be "
            "shorter"
        )
    if at < day.NIGHT:
        return (
            "at night there are no requests, and nothing is wrong: 0 divided by 0 is NaN, and no alert. `or vector(0)` "
            "and clamp_min make an outage of it. Pods that start are no fault either: the probes that they answer with "
            "503, and scrapes that fail for 20 s, are not the passengers'"
        )
    if day.PARTNER <= at <= day.PARTNER + day.LASTS + day.MINUTE:
        return "422 says that the client's request was wrong: nobody here can mend that, and no passenger is harmed"
    if day.RUSH <= at <= day.RUSH + day.LASTS + day.MINUTE:
        return (
            "the rush hour harms nobody: as ever one answer in 200 fails. A number of errors grows with the traffic, "
            "so no bound on it is right at noon and in the morning: take a share. And CPU that is used is paid for: "
            "alert on what passengers notice, not on what might be a cause of it"
        )
    if day.HICCUP <= at <= day.PAUSE + 5 * day.MINUTE:
        return (
            "it was over after 10 s, and somebody was woken. rate(...[1m]) has these ten seconds in it for a minute, "
            "so a `for` shorter than the window does not outlast them; or let a longer window agree with the short one"
        )
    return (
        "nothing is wrong at that time. How large is the expression, without its comparison, while all is well? "
        "(promtool query instant, as in the README.) A number grows with the passengers, a share does not"
    )


def missed(name: str, soonest: int | None, other: bool) -> str:
    """Why a rule misses a fault."""
    if soonest is not None:
        return (
            "the window must have filled, and then `for` counts from there: both together have to be shorter than the "
            "two minutes, with some seconds to spare for scrape, evaluation and group_wait"
        )
    if other:
        return (
            "an alert fires, but its labels say something else: severity is critical or warning, as the README's table "
            "has it, and service is model; routes go by them"
        )
    if name == "errors-few":
        return (
            "with few passengers most requests are probes and scrapes: /readyz, /healthz and /metrics are counted too, "
            "and are always good. Take route /predict on both sides of the division; and one request a second is "
            "enough to judge"
        )
    if name == "slow":
        return (
            "an average hides it: 8 in 10 answers within 12 ms, and 2 in 10 after 1.5 s, are 0.3 s on average. Take a "
            'quantile, or the share of answers above the bucket le="0.5"'
        )
    if name == "gone":
        return (
            "pods that are gone are no targets any more: there is no series `up` that could be 0, and a rule about "
            "series that are not there finds nothing. absent() is for that; or sum(up) or vector(0)"
        )
    if name == "hanging":
        return "absent(up) is about series that are not there; here they are, and say 0. Ask for one that is 1"
    return "5 % of the passengers' requests and more: sum the failed and all of them, route /predict, and divide"


# The alerts that the checker posts.


@dataclass
class Told:
    """What came of them."""

    pages: list[Object] = field(default_factory=list)  # messages at the pager about the critical one
    notes: list[Object] = field(default_factory=list)  # in the chat, about the warning that nothing inhibits
    pages_all: list[Object] = field(default_factory=list)
    notes_all: list[Object] = field(default_factory=list)
    woken: int = 0
    doubled: int = 0
    waited: float = 0
    changed: str = ""
    inhibited: bool = False  # the warning that nothing should inhibit

    def elsewhere(self, severity: str) -> str:
        there = about(self.notes_all if severity == "critical" else self.pages_all, severity=severity)
        return f"it came to the {'chat' if severity == 'critical' else 'pager'} alone" if there else "it came to nobody"


async def told(lab: Lab) -> Told:
    """Post alerts to Alertmanager as Prometheus would, and see what comes."""
    # If these bring another release, the pods go whose logs ./trace reads.
    await settled(lab, traced)
    await in_service(lab)
    key = uuid.uuid4().hex[:6]
    name, tickets, baggage = f"CertificateExpired-{key}", f"tickets-{key}", f"baggage-{key}"
    since = {place: (await inbox(lab, place))[1] for place in ("pager", "chat")}
    critical = [alert(name, "critical", tickets, pod=f"{tickets}-{number}") for number in range(PODS)]
    doubled, warning = alert(f"Slow-{key}", "warning", tickets), alert(f"Slow-{key}", "warning", baggage)
    story, began, end = Told(), time.monotonic(), None
    try:
        await post(lab, critical)
        await lab.time.pause(1)
        await post(lab, [doubled, warning])
        while True:
            story.pages_all = [
                each for each in (await inbox(lab, "pager", since["pager"]))[0] if key in json.dumps(each)
            ]
            story.notes_all = [each for each in (await inbox(lab, "chat", since["chat"]))[0] if key in json.dumps(each)]
            story.pages = about(story.pages_all, alertname=name)
            story.notes = about(story.notes_all, service=baggage)
            story.waited = time.monotonic() - began
            if end is None and story.pages and story.notes:
                end = story.waited + MORE_WITHIN
            if story.waited > (TOLD_WITHIN if end is None else end):
                break
            await lab.time.pause(1)
        if not story.notes:
            known = (await lab.traffic.get("alertmanager", "/api/v2/alerts?inhibited=true", port=9093)).text
            with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError, RecursionError):
                found = [each for each in json.loads(known) if each["labels"].get("service") == baggage]
                story.inhibited = any(each["status"]["inhibitedBy"] for each in found)
        story.woken = len(about(story.pages_all, severity="warning"))
        story.doubled = len(about(story.notes_all, service=tickets, severity="warning"))
        if (now := await release(lab)) != GOOD:
            story.changed = now
    finally:
        over = datetime.now(UTC)
        with contextlib.suppress(Exception):
            await post(lab, [{**each, "endsAt": over.isoformat()} for each in (*critical, doubled, warning)])
        if story.changed:
            await in_service(lab)
    return story


def alert(name: str, severity: str, service: str, **more: str) -> Object:
    now = datetime.now(UTC)
    return {
        "labels": {"alertname": name, "severity": severity, "service": service, **more},
        "annotations": {"summary": "Posted by the checker", "runbook_url": "https://runbooks.example.org/none"},
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(minutes=3)).isoformat(),
    }


async def post(lab: Lab, alerts: list[Object]) -> None:
    seen = await lab.time.eventually(
        lambda: lab.traffic.post("alertmanager", "/api/v2/alerts", alerts, port=9093), lambda answer: answer.status == 200,
        expected="Alertmanager takes alerts at Service alertmanager:9093, POST /api/v2/alerts",
        shown=answered, within=15,
    )  # fmt: skip
    must(seen, "kubectl logs deployment/alertmanager; its Service must lead to port 9093 of its pod")


def about(messages: list[Object], **labels: str) -> list[Object]:
    """Messages with an alert that has these labels and fires."""
    return [message for message in messages if any(fires(each, **labels) for each in message["alerts"])]


def fires(given: Object, **labels: str) -> bool:
    has = given.get("labels")
    if not isinstance(has, dict) or given.get("status") != "firing":
        return False
    return all(has.get(key) == value for key, value in labels.items())


# The world, which is the lab's own.


async def world(
    lab: Lab, service: str, path: str = "/", body: Object | None = None, form: Callable[[Object], bool] | None = None
) -> Object:
    """What a Service of the lab's own answers.

    Args:
        form: whether there is in it what will be read.
    """
    seen = await lab.time.eventually(
        lambda: lab.traffic.get(service, path) if body is None else lab.traffic.post(service, path, body),
        lambda answer: answer.status == 200 and (form is None or form(answer.fields_if_any)),
        expected=f"Service {service} of the lab answers with status 200, as it always did", shown=answered, within=30,
    )  # fmt: skip
    must(seen, "the Deployment world and its Services are the lab's own: leave them as they are, or: lab reset")
    found: Object = seen.value.fields_if_any
    return found


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


async def fares(lab: Lab) -> Object:
    """How the passengers fare."""

    def form(said: Object) -> bool:
        since = [said.get(f"{which}_failed", "") for which in ("first", "last")]
        return finite(said.get("without_weather")) and all(each is None or finite(each) for each in since)

    return await world(lab, "passengers", form=form)


async def inbox(lab: Lab, place: str, after: int = -1) -> tuple[list[Object], int]:
    """The messages that came after a number, each with how long `ago`; and the last one's number."""
    found = await world(lab, place, f"/messages?after={after if after >= 0 else 10**9}", form=has_messages)
    return [{**each["message"], "ago": each["ago"]} for each in found["messages"]], int(found["last"])


async def release(lab: Lab) -> str:
    """The release that the Deployment of the model asks for."""
    item = await lab.objects.deployment("model").now()
    if item is None:
        expect(Observation(False, "the Deployment model", "it is gone")).because("it is the lab's own: lab reset")
    assert item is not None
    return str(item["spec"]["template"]["spec"]["containers"][0]["image"]).rpartition(":")[2]


async def in_service(lab: Lab) -> None:
    """v2 in service on all pods, and all flights complete, whatever the learner tried before."""
    if (await fares(lab))["without_weather"]:
        await world(lab, "passengers", body={"without_weather": 0})
    if await release(lab) != GOOD:
        await put(lab, GOOD)
    seen = await lab.objects.deployment("model").rolled_out(pods=PODS, within=2 * READY_WITHIN)
    must(seen, "the Deployment model is the lab's own: leave it as it is, or: lab reset")


async def put(lab: Lab, tag: str) -> None:
    """Put a release into service, as it would be deployed."""
    item = await lab.objects.deployment("model").now() or {}
    first, *more = item.get("spec", {}).get("template", {}).get("spec", {}).get("containers") or [{}]
    patch = {"spec": {"template": {"spec": {"containers": [{**first, "image": lab.platform.image(tag)}, *more]}}}}
    await lab.objects.patch("Deployment", "model", patch)


# The requests through the gateway.


@dataclass
class Request:
    """One request through the gateway: the id that it was given, what came back, and what ./trace printed."""

    what: str
    status: int
    given: str = ""
    answered: int = 0
    id: str = ""
    lines: list[Object] = field(default_factory=list)
    foreign: int = 0
    printed: tuple[str, ...] = ()


async def asked(lab: Lab) -> list[Request]:
    """Three requests, and many more after them."""
    await runs(lab, "gateway")
    await in_service(lab)
    flight = next(row for row in lab.traffic.hidden_rows(50).rows if None not in row.values())
    good, rubbish = {"rows": [flight]}, {"rows": "rubbish"}
    requests = [
        Request("with an id", 200, given=f"check-{uuid.uuid4().hex[:8]}"),
        Request("without an id", 200),
        Request("with rubbish", 422, given=f"check-{uuid.uuid4().hex[:8]}"),
    ]
    for request in requests:
        body = rubbish if request.status == 422 else good
        headers = {"X-Request-ID": request.given} if request.given else {}
        # Of a pod that has just got ready the network hears a moment later.
        seen = await lab.time.eventually(
            functools.partial(lab.traffic.post, "gateway", "/predict", body, headers=headers),
            functools.partial(with_status, request.status), expected="an answer", shown=answered, within=ANSWERS_WITHIN,
        )  # fmt: skip
        request.answered = seen.value.status
        request.id = seen.value.headers.get("x-request-id", "")[:200].replace("\0", "\ufffd")  # no program takes it
        if not seen.ok:
            return requests[: requests.index(request) + 1]
    if all(request.id and request.answered == request.status for request in requests):
        for part in range(0, BURIED, 4):
            # Their ids begin as the first one does, which they are not.
            ids = [f"{requests[0].id}-{number}" for number in range(part, part + 4)]
            await asyncio.gather(
                *(lab.traffic.post("gateway", "/predict", good, headers={"X-Request-ID": each}) for each in ids)
            )
    return requests


def with_status(wanted: int, answer: Any) -> bool:
    return bool(answer.status == wanted)


async def traced(lab: Lab) -> list[tuple[Request, Observation]]:
    """What ./trace prints about each of them, and how it ended."""
    found = []
    for request in await lab.once(asked):
        if not request.id:
            continue
        command = await lab.work.command("trace", request.id, within=TRACED_WITHIN)
        lines = [each for each in map(parsed, command.output.splitlines()) if each]
        request.lines = [each for each in lines if each.get("request_id") == request.id]
        request.foreign = len(lines) - len(request.lines)
        request.printed = tuple(line[:200] for line in command.output.splitlines()[-4:])
        found.append((request, command.observed(command.code is not None, f"./trace ends within {TRACED_WITHIN} s")))
        if command.code is None:  # it won't end for the next one either
            break
    return found


def parsed(line: str) -> Object | None:
    with contextlib.suppress(ValueError, RecursionError):
        found = json.loads(line)
        return found if isinstance(found, dict) else None
    return None


def untraced(service: str, request: Request) -> str:
    """Why a line is not there."""
    if not request.lines and any(request.id in line for line in request.printed):
        return (
            "it prints the id, but no line that is a JSON object with request_id and service: text has to be taken "
            "apart by everyone who wants to know something. One JSON object for each line of the log; the model's lack "
            "only `service`"
        )
    if service == "model":
        return (
            "the model logs the id that comes with the request, in the header X-Request-ID, and makes one of its own "
            "where none comes: does the gateway hand it on? It has three pods, each with a log of its own; with a "
            "selector kubectl logs shows the last 10 lines of each unless --tail says more, and deployment/model is "
            "one of the pods"
        )
    return (
        "the line must be in the gateway's log (kubectl logs deployment/gateway --tail=5), as JSON with request_id; "
        "with a selector kubectl logs shows the last 10 lines only, unless --tail says more"
    )


# The fault.


@dataclass
class Page:
    """The first message at the pager, and how long after the first failed request it came."""

    alert: Object
    after: float


@dataclass
class Failing:
    """What the fault led to."""

    images: list[str] = field(default_factory=list)  # of the Deployment, as they were seen
    page: Page | None = None
    waited: float = 0
    alerts: str = "no alert"
    resolved: float | None = None  # s after the last failed request
    waited_for_end: float = 0

    def unheard(self) -> str:
        """How things stand where no message came."""
        acted = f", and {OLD} is in service" if OLD in self.images else ""
        return f"none after {self.waited:.0f} s, while Prometheus has {self.alerts}{acted}"


async def failing(lab: Lab) -> Failing:
    """Let requests come without weather until the pager has rung, and see it through to the end."""
    await settled(lab, told)  # it would be disturbed by what happens now, as would what it waits for itself
    await in_service(lab)
    await quiet(lab)
    story = Failing()
    _, last = await inbox(lab, "pager")
    try:
        await world(lab, "passengers", body={"without_weather": SHARE if whole(lab) else LARGER_SHARE})
        await paged(lab, story, last)
        if story.page:
            await ended(lab, story)
            if whole(lab):
                await told_of_the_end(lab, story, last)
    finally:
        try:
            await world(lab, "passengers", body={"without_weather": 0})
        finally:
            if await release(lab) != GOOD:
                await put(lab, GOOD)
    return story


def whole(lab: Lab) -> bool:
    """Whether the fault is seen through to its end."""
    return lab.thorough(pages_within_two_minutes, resolves, falls_back_once)


async def settled(lab: Lab, stage: Callable[[Lab], Awaitable[Any]]) -> None:
    """Wait for the end of a stage, whatever it is."""
    with contextlib.suppress(Exception):
        await lab.once(stage)


async def quiet(lab: Lab) -> None:
    """No critical alert about the model is on its way while nothing is wrong."""

    async def active() -> list[str]:
        found = await query(lab, 'ALERTS{severity="critical",service="model"}')
        return in_words(found)

    seen = await lab.time.eventually(
        active, lambda found: not found, expected="no critical alert about the model before the fault",
        shown=lambda found: ", ".join(found) or "none", within=FIRES_WITHIN, every=2,
    )  # fmt: skip
    must(seen, "all requests are answered with 200 at this time: an alert that always fires says nothing")


def in_words(found: list[Object]) -> list[str]:
    """The series ALERTS in words; a rule may record one of that name, without its labels."""
    return sorted({" ".join(each["metric"].get(name, "?") for name in ("alertname", "alertstate")) for each in found})


async def look(lab: Lab, story: Failing) -> Object:
    """How the passengers fare; and note a change of the release."""
    now = await release(lab)
    if not story.images or story.images[-1] != now:
        story.images.append(now)
    return await fares(lab)


async def paged(lab: Lab, story: Failing, last: int) -> None:
    """Wait for the first message."""
    began, first = time.monotonic(), None
    while True:
        now = await look(lab, story)
        story.waited = time.monotonic() - began
        if first is None and now["first_failed"] is not None:
            first = began = time.monotonic() - now["first_failed"]
        if first is None and OLD in story.images:
            must(
                Observation(False, f"{GOOD} in service until requests fail", " -> ".join(story.images)),
                "nothing was wrong when the release was changed: kubectl logs deployment/responder shows what it was "
                "told, and when",
            )
        if first is None and story.waited > 30:
            raise LabError(
                "requests without weather do not fail: the fault could not be made", "try again, or: lab reset"
            )
        for message in (await inbox(lab, "pager", last))[0]:
            for each in message["alerts"]:
                if first is not None and fires(each, severity="critical", service="model"):
                    story.page = story.page or Page(each, time.monotonic() - message["ago"] - first)
        if story.page or story.waited > FIRES_WITHIN:
            break
        await lab.time.pause(LOOK_EVERY)
    if not story.page:
        found = await query(lab, 'ALERTS{service="model"}')
        story.alerts = ", ".join(in_words(found)) or "no alert"


async def ended(lab: Lab, story: Failing) -> None:
    """Wait until the release before is asked for, and no request fails any more; else end the fault."""
    began = time.monotonic()
    while OLD not in story.images and time.monotonic() - began < BACK_WITHIN:
        await look(lab, story)
        await lab.time.pause(LOOK_EVERY)
    began = time.monotonic()
    if OLD in story.images:
        while time.monotonic() - began < OVER_WITHIN:
            last = (await look(lab, story))["last_failed"]
            if not whole(lab) or (last is not None and last > CALM):
                return
            await lab.time.pause(LOOK_EVERY)
    # Nobody fell back, or not for long: the weather is back.
    await world(lab, "passengers", body={"without_weather": 0})


async def told_of_the_end(lab: Lab, story: Failing, last: int) -> None:
    """Wait for the message that the alert is over."""
    assert story.page
    failed = (await look(lab, story))["last_failed"] or 0.0
    over = time.monotonic() - failed
    while story.resolved is None and (waited := time.monotonic() - over) < RESOLVED_WITHIN:
        story.waited_for_end = waited
        await look(lab, story)
        for message in (await inbox(lab, "pager", last))[0]:
            for each in message["alerts"]:
                if each.get("status") == "resolved" and each.get("labels") == story.page.alert["labels"]:
                    story.resolved = max(0.0, time.monotonic() - message["ago"] - over)
        await lab.time.pause(LOOK_EVERY)
    until = time.monotonic() + AFTERWARDS
    while time.monotonic() < until:
        await look(lab, story)
        await lab.time.pause(LOOK_EVERY)
