"""The checks."""

from collections.abc import Mapping
from dataclasses import replace

from mlops_lab.checks import check, equal_to, expect, holds, observe
from mlops_lab.kit import deployments
from mlops_lab.kit.inside import settled
from mlops_lab.kit.pods import name
from mlops_lab.kube.client import Object
from mlops_lab.measure.traffic.http import Answer
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .customer import record
from .draw import Drawn

D = drawn(Drawn, __file__)
OLD, NEW = f"{D.app}-{D.old}", f"{D.app}-{D.new}"
_DOMAINS = ("ckad/deployment",)
_READY_WITHIN, _KEPT_WITHIN, _NOTED_WITHIN = 60.0, 15.0, 15.0
_ANSWERS, _HEARD_WITHIN = 30, 15.0  # s in which the nodes hear of a switch


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
    """The old Deployment has all its pods, ready, with the release from before."""
    pods = await settled(lab, OLD, within=_KEPT_WITHIN)
    expect(observe(f"ready pods of Deployment {OLD}", len(pods), equal_to(D.pods))).because(
        "the way back takes a second as long as they are there, and a start of all pods when they are not"
    )
    labels = deployments.selector(await lab.objects.deployment(OLD).now())
    mixed = [name(each) for each in await deployments.owned_pods(lab, NEW) if _bears(each, labels)]
    expect(holds(not mixed, "its selector matches none of the new pods", f"it matches {', '.join(mixed)}")).because(
        "on the way back the Service would lead to both"
    )
    env = {each["name"]: each.get("value") for each in pods[0]["spec"]["containers"][0].get("env") or []}
    expect(observe("its release", env.get("RELEASE"), equal_to(D.before))).because("it goes on as it is")


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
    lost = sum(count for kind, count in found if kind == "lost")
    total = sum(count for _, count in found)
    expect(observe(f"requests that it lost of {total}", lost, equal_to(0))).because(
        "a selector takes effect at once, ready pods or not: new pods need their seconds, and until one of them is "
        "ready there is nobody to answer"
    )


async def _answers(lab: TaskLab) -> list[Answer]:
    return [await lab.traffic.get(D.app, "/") for _ in range(_ANSWERS)]


def _bears(pod: Object, labels: Mapping[str, str]) -> bool:
    own = pod["metadata"].get("labels") or {}
    return all(own.get(key) == value for key, value in labels.items())
