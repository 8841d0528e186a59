"""Lab 17: the learner's rules on the day and the faults that are replayed, and their alerts when the model fails.

Four stages, each run once: the replays by promtool (`replay`), beside all others; requests through the gateway
(`tracing`); alerts that the checker posts to Alertmanager (`notifications`); and then the fault itself (`fault`).
"""

from __future__ import annotations

import contextlib

from mlops_lab.checks import Lab, LabError, Observation, at_most, check, current, equal_to, expect, holds, observe
from mlops_lab.kit.prerequisites import must

from . import at_once, day, judge, notifications, replay
from .fault import BACK_WITHIN, FIRES_WITHIN, Story, inject_fault
from .notifications import Notifications, must_hear_of_the_end, notified, settled
from .plan import AFTER, ENDS_WITHIN, RESOLVED_WITHIN, clock
from .prometheus import PODS, loaded
from .running import runs
from .tracing import Request, buried, requested, traced
from .why import BARE, ENDLESS, HALF, disturbed, untraced
from .world import GOOD, OLD

OBSERVED = ("ckad/observability-and-maintenance",)


@check(points=1, domains=OBSERVED)
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


@check(points=4, needs=rules_are_loaded, domains=OBSERVED)
async def fires_for_each_fault(lab: Lab) -> None:
    """Seven faults, replayed against your rules: within 120 s an alert fires, with the right labels and annotations.

    `severity: critical` where requests fail or nobody answers, `severity: warning` where answers are slow, and nothing
    critical there; and always `service: model`. What fires in the 20 minutes before as well does not count. All other
    alerts in your rules have these labels and annotations, too.
    """
    found, trials = await lab.once(replayed), (await lab.once(replay.planned)).trials
    rules, missing, first = await lab.once(loaded), [], ""
    for name, trial in trials.items():
        if trouble := judge.wrong(name, trial, found.get(name, []), rules.groups):
            first = first or trouble[1]
            missing.append(f"{trial.what} ({trial.severity}): {trouble[0]}")
    expect(
        holds(
            not missing,
            f"an alert of the right severity about service model within {FIRES_WITHIN} s of each of seven faults, with "
            "summary and runbook_url",
            f"not for {len(missing)} of them",
            evidence=missing,
        )
    ).because(first)
    bare = judge.unlabelled(rules.groups, rules.targets, {name: found.get(name, []) for name in trials})
    must(
        holds(
            not bare,
            "of each alert in your rules, also of one that does not fire here, a severity critical or warning, service "
            "model, a summary and a runbook_url",
            bare[0] if bare else "",
            evidence=bare[:6],
        ),
        f"routes go by the labels, so one without them finds nobody, or the wrong one. And {BARE}",
    )


@check(points=4, needs=fires_for_each_fault, domains=OBSERVED)
async def silent_through_a_normal_day(lab: Lab) -> None:
    """A normal day, replayed from midnight to midnight against the rules that Prometheus has loaded: no alert fires.

    What happens on it, when, and how near to a fault, is drawn. Alerts with severity `none` or `info` may fire.
    """
    plan = await lab.once(replay.planned)
    noise = sorted(judge.told((await lab.once(replayed)).get("normal", [])), key=lambda each: each.since)
    said = dict.fromkeys(f"{each.labels.get('alertname')} at {clock(each.since)} for {each.lasted} s" for each in noise)
    expect(
        Observation(
            not noise,
            "no alert fires",
            "; ".join([*said][:4]) or "silent all day",
            evidence=tuple(dict.fromkeys(plan.story(each.since) for each in noise[:6])),
        )
    ).because(disturbed(plan.event(noise[0].since, AFTER), noise[0].since) if noise else "")


@check(points=3, domains=OBSERVED)
async def routes_and_groups(lab: Lab) -> None:
    """The checker posts alerts about a service of next week to your Alertmanager: all go where they should, once.

    Three pods with the same critical alert: one message, at the pager, within 60 s. A warning about that service: no
    message while the critical one lasts; three pods with one about another service: a message about all in the chat.
    Other teams' alerts about the model go there, too. The pager rings at any hour: no route of its receiver has time
    intervals.
    """
    await runs(lab, "alertmanager")
    story = await lab.once(posted)
    for name, seen in (("critical", story.pages), ("warning", story.notes)):
        place = "pager" if name == "critical" else "chat"
        expect(
            Observation(
                bool(seen),
                f"the {name} alert reaches the {place} within {notifications.WITHIN} s",
                "it does" if seen else f"{story.elsewhere(name)} within {story.waited:.0f} s",
                timed=True,
            )
        ).because(
            "it is inhibited: an inhibit rule without `equal` holds between all services, and a critical alert about "
            "one silences the warnings about every other. equal: the labels that both must have alike"
            if name == "warning" and story.inhibited
            else "an alert goes down the tree of routes by its labels, to the first child that matches, and to the "
            "root's receiver where none does. It is told group_wait after the first of its group came (30 s by "
            "default). amtool config routes test --config.file=alertmanager.yml severity=critical shows where it ends"
        )
    must(
        holds(
            not story.unheard, "alerts about service model at the pager and in the chat, as all others", story.unheard
        ),
        "they go by their severity, whatever the service: an alert ends at the first child route that matches, so one "
        "that is for the responder, and takes more than the alert that it acts on, takes these from whom they are for. "
        "continue: true lets them go on; amtool config routes test --config.file=alertmanager.yml severity=warning "
        "service=model shows where one ends",
    )
    times = await notifications.asleep(lab, {str(page.get("receiver")) for page in story.pages_all})
    must(
        holds(not times, "the pager rings at any hour", f"its route has time intervals: {', '.join(times[:3])}"),
        "whoever is on call is so at night, too, and a fault at three is one. mute_time_intervals and "
        "active_time_intervals are for what can wait; no route of the pager's has any",
    )
    expect(observe("warnings at the pager", story.woken, equal_to(0))).because(
        "nobody has to get up for a warning: the pager's route must match severity critical alone"
    )
    for place, counts in (("pager", story.pods), ("chat", story.noted)):
        expect(notifications.one_message(place, counts)).because(
            "group_by names the labels that the alerts of one message share. A label that differs from pod to pod "
            "makes a group, and so a message, of each pod; with a group_wait of 0 the first pod does not wait for the "
            "others"
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
    """`./trace ID` prints what gateway and model have logged about one request, as JSON, within 60 s.

    The checker asks the gateway four times: with an id in X-Request-ID, without one, with rubbish that the model
    answers with 422 and a long id with each sign that it may have, and without weather, on which the model fails. The
    answer has the id in its header X-Request-ID. More requests follow, several at once, with ids that look alike, or
    without one, hundreds through the gateway and thousands that ask the model itself; then `./trace` is called with
    each of the four. It prints JSON alone. Each line has `service` and `request_id`, and one of each service `status`;
    of the request that failed the model's error is printed, too. The gateway's log has JSON, and each request's id. The
    model is the lab's own.
    """
    for request in await lab.once(requested):
        must(
            Observation(
                request.right,
                f"status {request.status} of POST /predict {request.what}",
                f"{request.answered or 'no answer'}",
            ),
            "the gateway hands on what it gets, and answers what it is answered, also where the model fails: kubectl "
            "logs deployment/gateway",
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
        made = [request.id, *request.others]
        must(
            Observation(
                len({*made}) == len(made),
                f"{len(made)} requests {request.what}: each gets another one",
                f"{len({*made})} ids, of which one is {max(made, key=made.count) or 'empty'}",
            ),
            "an id is for one request: with one that two requests have, who complains finds the lines of strangers. "
            "uuid.uuid4().hex, made anew for each",
        )
        at_once.answered(request)
    found = await lab.once(followed)
    for request, how in found:
        must(how, ENDLESS)
        for service in ("gateway", "model"):
            lines = [each for each in request.lines if each.get("service") == service]
            least = request.of_model if service == "model" else request.of_gateway
            must(
                Observation(
                    len(lines) >= least,
                    f"./trace {request.id} prints {'a line' if least == 1 else f'{least} lines'} of {service}",
                    f"{len(request.lines)} lines with this id, {len(lines) or 'none'} of {service}",
                    evidence=request.printed,
                ),
                untraced(service, request) if not lines else HALF,
            )
            statuses = [each.get("status") for each in lines]
            status = request.answered if service == "gateway" else request.status
            must(
                Observation(
                    status in statuses,
                    f"status {status} in the line of {service} about {request.id}",
                    f"status {', '.join(map(str, statuses[:5]))}",
                    evidence=request.printed,
                ),
                "the line tells how the request ended: the status that was answered, as a number",
            )
        must(
            Observation(
                not request.sentences,
                f"./trace {request.id} prints a JSON object in each line",
                f"{len(request.sentences)} lines on its standard output that are none",
                evidence=request.sentences[:4],
            ),
            "a program that reads the lines has to take apart whatever else stands between them. What there is to say "
            "to people, such as a heading, goes to standard error",
        )
        must(
            Observation(
                not request.foreign,
                f"./trace {request.id} prints no line of another request, and no sentence of the gateway's log",
                f"{request.foreign} such lines",
                evidence=request.printed,
            ),
            "only the lines of this one request: compare request_id, whole and as it is. An id may be the beginning or "
            "the end of another one, or have its letters as capitals, and a pattern with a dot in it finds others too",
        )
        must(
            Observation(
                request.logged,
                f"a JSON object with request_id {request.id} and status {request.answered} (a number) in the gateway's "
                "log",
                "no such line",
            ),
            "what ./trace makes JSON of, every other program has to take apart again: let the gateway log one JSON "
            "object a line, as the model does. kubectl logs deployment/gateway --tail=5",
        )
        at_once.logged(request)
    current.note(f"{len(found)} requests, each in both logs")


@check(points=3, needs=(rules_are_loaded, routes_and_groups), domains=OBSERVED)
async def pages_within_two_minutes(lab: Lab) -> None:
    """One request in ten comes without weather, and v2 fails: within 120 s the pager has a message that helps.

    Its alert has `severity: critical` and `service: model`, and the annotations `summary` and `runbook_url`.
    """
    story = await lab.once(failing)
    expect(
        Observation(
            story.page is not None,
            f"a message about service model at the pager within {FIRES_WITHIN} s",
            "it has come" if story.page else story.unheard(),
            timed=True,
        )
    ).because(
        "Prometheus sends alerts to what alerting.alertmanagers in prometheus.yml names: http://prometheus:9090/"
        "api/v1/alertmanagers shows whom. From there the first route that matches takes the alert, and no other one "
        "does unless it says continue: true. kubectl logs deployment/alertmanager tells of receivers that don't answer"
    )
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


@check(points=2, needs=pages_within_two_minutes, domains=OBSERVED)
async def resolves(lab: Lab) -> None:
    """The fault is over: within 90 s of the last failed request the pager hears it; as of other services' alerts.

    150 s after the end of each critical fault that is replayed, its alert has ended, too.
    """
    story = await lab.once(failing)
    if not seen_through(lab):
        return  # it ended early
    await must_hear_of_the_end(lab, await lab.once(posted))
    late = judge.lingering((await lab.once(replay.planned)).trials, await lab.once(replayed))
    must(
        holds(
            not late,
            f"{ENDS_WITHIN} s after the end of each critical fault that is replayed its alert has ended",
            f"not after {len(late)} of them",
            evidence=late,
        ),
        "the pager hears of the end once Prometheus calls the alert over, whatever it is about: keep_firing_for, or a "
        "long window without a short one that has to agree, makes that late",
    )
    expect(
        Observation(
            story.resolved is not None,
            f"the alert at the pager with status resolved, within {RESOLVED_WITHIN} s of the last failed request",
            f"{story.resolved:.0f} s after it"
            if story.resolved is not None
            else f"not after {story.waited_for_end:.0f} s",
            timed=True,
        )
    ).because(
        "send_resolved has to be true. The message leaves with the group's next one, up to group_interval (5 minutes "
        "by default) after the one before; and Prometheus calls the alert over when its expression is: a long window, "
        "or keep_firing_for, makes that late"
    )


@check(points=3, needs=pages_within_two_minutes, domains=("ckad/deployment",))
async def falls_back_once(lab: Lab) -> None:
    """Once the pager has rung, v1 is in service within 45 s, without anybody's doing; and it stays, also afterwards.

    No other alert may bring it: while the checker posted others, v2 stayed. They were critical ones of its own, some of
    them about the model, with names that have that of your alert in them, or a word between its parts, or other
    capitals; your own about slowness and silence; and those with severity `none` or `info` that fired for anything but
    errors, or on the normal day.
    """
    await settled(lab, replayed, but=(LabError,))  # they say what your own alerts are, where rules can be replayed
    others, story = await lab.once(posted), await lab.once(failing)
    expect(
        Observation(
            not others.changed, "v2 in service while alerts about something else fire",
            f"{others.changed} in service after {' and '.join(others.posted)}" if others.changed else "v2 in service",
        )
    ).because(
        "an expired certificate does not get better by an older model, nor do pods that are gone, nor a slow network; "
        "and what the normal day has, such as a few errors in a hundred, is no fault, whether somebody is told or not. "
        "Only the alert that a fallback helps against may reach the responder (a label of its own, or its whole name "
        "as it is, in the route's matchers), or be acted upon there; one for several faults brings it in each of them"
    )  # fmt: skip
    expect(
        Observation(
            story.images == [GOOD, OLD],
            f"Deployment model changes once, from {GOOD} to {OLD}, within {BACK_WITHIN} s of the page",
            " -> ".join(story.images) + ("" if len(story.images) > 1 else f", and stays so for {BACK_WITHIN} s"),
            timed=story.images == [GOOD] or None,
        )
    ).because(
        "kubectl logs deployment/responder shows what it did. A message comes when an alert begins, again when another "
        "one joins its group, and once more when it is over, with status resolved: so look at the status, and put a "
        "release into service rather than `the other one`, which comes out right only every second time"
    )  # fmt: skip


# What is played with a length that depends on these checks.


async def replayed(lab: Lab) -> dict[str, list[day.Fired]]:
    """The alerts that fired on the normal day and in the faults."""
    whole = lab.thorough(silent_through_a_normal_day, fires_for_each_fault, falls_back_once)
    return await replay.replay(lab, 24 if whole else 4)


async def followed(lab: Lab) -> list[tuple[Request, Observation]]:
    """What ./trace prints about each request, once many others have come."""
    if lab.thorough(finds_a_request) and all(request.right for request in await lab.once(requested)):
        await buried(lab)
    return await traced(lab)


def seen_through(lab: Lab) -> bool:
    """Whether the fault is seen through to its end."""
    return lab.thorough(pages_within_two_minutes, resolves, falls_back_once)


async def posted(lab: Lab) -> Notifications:
    """What came of the alerts that the checker posts."""
    await settled(lab, followed)  # if these alerts bring another release, the pods go whose logs ./trace reads
    if not lab.thorough(falls_back_once):
        return await notified(lab)
    own, acted_on = list[day.Labels](), list[str]()
    with contextlib.suppress(Exception):  # rules_are_loaded tells of it
        await runs(lab, "prometheus")
        trials, found = (await lab.once(replay.planned)).trials, await lab.once(replayed)
        own = judge.no_reason_to_fall_back(trials, found)
        acted_on = judge.reasons_to_fall_back(trials, found)
    return await notified(lab, own, acted_on)


async def failing(lab: Lab) -> Story:
    """What the fault led to."""
    await settled(lab, posted)  # it would be disturbed by what happens now, as would what it waits for itself
    return await inject_fault(lab, whole=seen_through(lab), stays=lab.thorough(falls_back_once))
