"""The checks."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from mlops_lab.checks import check, equal_to, expect, holds, observe
from mlops_lab.kit import deployments, presence
from mlops_lab.kit.inside import settled
from mlops_lab.kit.pods import name, restarts
from mlops_lab.kit.selectors import selects
from mlops_lab.kit.unchanged import unchanged
from mlops_lab.kube.client import Object
from mlops_lab.measure.traffic.http import Answer
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .customer import record
from .draw import Drawn

D = drawn(Drawn, __file__)
OLD, NEW = f"{D.app}-{D.old}", f"{D.app}-{D.new}"
_DOMAINS = ("ckad/deployment",)
_START = Path(__file__).parents[1] / "start"
_READY_WITHIN, _KEPT_WITHIN, _NOTED_WITHIN = 60.0, 15.0, 15.0
_ANSWERS, _HEARD_WITHIN = 30, 15.0  # s in which the nodes hear of a switch
_TOGETHER = timedelta(seconds=30)  # for all that there is when the task begins


@check(points=2, domains=_DOMAINS)
async def the_new_one_answers(lab: TaskLab) -> None:
    """The new Deployment's pods, as many as before, are all that the Service leads to, and answer as they should."""
    pods = await settled(lab, NEW, within=_READY_WITHIN)
    expect(observe(f"pods of Deployment {NEW}", len(pods), equal_to(D.pods))).because(
        "at the moment of the switch they get everything that the old ones had"
    )
    colors = sorted({str((each["metadata"].get("labels") or {}).get("color")) for each in pods})
    expect(observe("their label color", ", ".join(colors), equal_to(D.new))).because(
        "labels of the pod template are the pods', those of the Deployment itself are not"
    )
    was, now = await lab.objects.deployment(OLD).now(), await lab.objects.deployment(NEW).now()
    differ = _differ(was, now) if was and now else []  # that the old one is there is for the next check
    expect(holds(not differ, "in all else it is as the old one", f"another {', '.join(differ)}")).because(
        "what is no part of the change stays: what holds for the old pods' probe and resources holds for these, too"
    )
    behind = {name(each) for each in await lab.objects.pods_of(D.app)}
    others = sorted(behind ^ set(map(name, pods)))
    expect(
        holds(not others, f"Service {D.app} leads to these pods alone", f"more, or fewer: {', '.join(others)}")
    ).because(
        "a Service leads to every pod that bears all labels of its selector; with one label less that is both colours"
    )
    wanted = {"color": D.new, "release": D.release}
    answered = await lab.time.eventually(
        lambda: _answers(lab), lambda found: all(each.fields_if_any == wanted for each in found),
        expected=f"{_ANSWERS} of {_ANSWERS} answers: {D.new}, {D.release}",
        shown=lambda found: "; ".join(sorted({each.shown for each in found})), within=_HEARD_WITHIN,
    )  # fmt: skip
    expect(replace(answered, timed=False)).because("the variables are those of the new Deployment's pod template")


@check(points=2, needs=the_new_one_answers, domains=_DOMAINS)
async def the_old_one_is_kept(lab: TaskLab) -> None:
    """The old Deployment is as it was, and has all its pods, ready."""
    pods = await settled(lab, OLD, within=_KEPT_WITHIN)
    expect(observe(f"ready pods of Deployment {OLD}", len(pods), equal_to(D.pods))).because(
        "the way back takes a second as long as they are there, and a start of all pods when they are not"
    )
    labels = deployments.selector(await lab.objects.deployment(OLD).now())
    mixed = [name(each) for each in await deployments.owned_pods(lab, NEW) if _bears(each, labels)]
    expect(holds(not mixed, "its selector matches none of the new pods", f"it matches {', '.join(mixed)}")).because(
        "on the way back the Service would lead to both"
    )
    expect(await unchanged(lab, _START, "Deployment", OLD)).because("it goes on as it is")


@check(points=3, needs=the_new_one_answers, domains=_DOMAINS)
async def nothing_was_lost(lab: TaskLab) -> None:
    """The customer, who has asked all the time, went over from the old release to the new one and lost no request."""
    before, after = f"{D.old} {D.before}", f"{D.new} {D.release}"
    noted = await lab.time.eventually(
        lambda: record(lab), lambda rows: any(kind == before for kind, _ in rows) and rows[-1][0] == after,
        expected=f"it had answers {before!r}, and has {after!r} now",
        shown=lambda rows: "; ".join(kind for kind, _ in rows[-6:]) or "no answer", within=_NOTED_WITHIN,
    )  # fmt: skip
    found: list[tuple[str, int]] = noted.value
    expect(noted).because(
        "the Service stays the same object, whose address clients keep; a new one of that name has another. And the "
        "customer stays as it is: its record goes with its pod"
    )
    service, client = await lab.objects.service(D.app), await presence.exists(lab, "Pod", D.client, "it was to stay")
    first = _made(service) <= _made(client)
    expect(holds(first, f"Service {D.app} is the one that the customer began with", "it was made anew")).because(
        "who deletes a Service has none for a moment, whatever address the next one has"
    )
    anew = "its container was started anew" if restarts(client) else ""
    if not _began_with(client, service, await lab.objects.deployment(NEW).present()):
        anew = "it was made anew"
    expect(holds(not anew, f"Pod {D.client} is the customer of before", anew)).because(
        "it is to be left alone: what the one of before had noted is gone with it"
    )
    lost = sum(count for kind, count in found if kind == "lost")
    total = sum(count for _, count in found)
    expect(observe(f"requests that it lost of {total}", lost, equal_to(0))).because(
        "a selector takes effect at once, ready pods or not: new pods need their seconds, and until one of them is "
        "ready there is nobody to answer"
    )


def _began_with(client: Object, service: Object, new: Object) -> bool:
    """Was the customer made with the Service, when the task began, and before the new Deployment?"""
    return _made(client) <= min(_made(service) + _TOGETHER, _made(new))


def _made(item: Object) -> datetime:
    """When an object was made."""
    return datetime.fromisoformat(item["metadata"]["creationTimestamp"])


def _differ(was: Object, now: Object) -> list[str]:
    """What differs between two Deployments beside the label, the two variables, and names of their parts."""
    one, other = _comparable(was["spec"]), _comparable(now["spec"])
    differ = sorted(key for key in one | other if one.get(key) != other.get(key))
    old = was["spec"]["template"]["metadata"].get("labels") or {}
    return [*differ, *(["selector: it selects the old pods, too"] if selects(now["spec"]["selector"], old) else [])]


def _comparable(deployment: Object) -> Object:
    template = deployment["template"]
    spec, labels = template["spec"], template["metadata"].get("labels") or {}
    container = dict(spec["containers"][0])
    volumes = {each["name"]: {**each, "name": ""} for each in spec.get("volumes") or []}
    mounts = {each["mountPath"]: volumes.get(each["name"]) for each in container.get("volumeMounts") or []}
    env = {each["name"]: each for each in container.get("env") or [] if each["name"] not in ("COLOR", "RELEASE")}
    apart = ("name", "env", "volumeMounts")
    return {
        **{key: value for key, value in deployment.items() if key not in ("replicas", "selector", "template")},
        **{key: value for key, value in spec.items() if key not in ("containers", "volumes")},
        **{key: value for key, value in container.items() if key not in apart},
        "containers": len(spec["containers"]), "mounts": mounts, "variables": env,
        "labels of the pods": {key: value for key, value in labels.items() if key != "color"},
    }  # fmt: skip


async def _answers(lab: TaskLab) -> list[Answer]:
    return [await lab.traffic.get(D.app, "/") for _ in range(_ANSWERS)]


def _bears(pod: Object, labels: Mapping[str, str]) -> bool:
    own = pod["metadata"].get("labels") or {}
    return all(own.get(key) == value for key, value in labels.items())
