"""The checks."""

from mlops_lab.checks import check, equal_to, expect, holds, observe
from mlops_lab.kit import presence
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from . import chart
from .draw import Drawn
from .releases import Release, revisions, status, values

D = drawn(Drawn, __file__)
_DOMAINS = ("cka/cluster-architecture", "ckad/deployment")


@check(points=2, domains=_DOMAINS)
async def is_back(lab: TaskLab) -> None:
    """The old release is what it was before, to helm as well, and its service answers."""
    found = await revisions(lab, D.old, "it was there, and its history was to stay")
    first, last = found[0], found[-1]
    said = ", ".join(f"{each['version']} {status(each)}" for each in found)
    kept = [each["version"] for each in found][:2] == [1, 2] and values(found[1]) != values(first)
    expect(holds(kept, f"release {D.old} has its first two revisions in its history", f"there is: {said}")).because(
        "helm uninstall takes the history with it; helm rollback adds a revision that is like an earlier one"
    )
    went = any(status(each) == "uninstalled" for each in found)
    expect(holds(not went, f"release {D.old} was not uninstalled", f"there is: {said}")).because(
        "helm uninstall --keep-history keeps the history and deletes the objects: nobody answers until they are back"
    )
    again = status(last) == "deployed" and last["manifest"] == first["manifest"]
    like_first = "its newest revision is deployed, and like the first one"
    expect(holds(again, like_first, f"{said}, and the newest one is not like the first")).because(
        "helm applies what it has written down at the next upgrade: what kubectl alone has mended is then gone"
    )
    await _answers(lab, D.old, D.old_message, 2)


@check(points=2, domains=_DOMAINS)
async def is_installed(lab: TaskLab) -> None:
    """The new release was installed from the chart as it was given, with the values that were wanted."""
    found = await revisions(lab, D.new, "helm install gives a release its name; the Namespace is kubectl's")
    first = found[0]
    expect(holds(chart.is_in(lab, first), "of the given chart", "its chart, or the values in it, are others")).because(
        "a chart is for many releases: what one of them needs is set for it, by --set or --values"
    )
    expect(observe("set for revision 1", _set(first), equal_to(f"{D.first} replicas, message {D.message}"))).because(
        "helm get values --revision 1 shows what was set when it was installed"
    )


@check(points=2, needs=is_installed, domains=_DOMAINS)
async def is_upgraded(lab: TaskLab) -> None:
    """The new release was upgraded to more or fewer replicas and answers with its message."""
    found = await revisions(lab, D.new, "it was there a moment ago")
    said = ", ".join(f"{each['version']} {status(each)}" for each in found)
    two = len(found) == 2 and status(found[-1]) == "deployed"
    expect(holds(two, "two revisions, the second one deployed", f"revisions: {said}")).because(
        "each helm upgrade makes a revision, which helm history shows; what kubectl changes makes none"
    )
    last = found[-1]
    expect(observe("set for revision 2", _set(last), equal_to(f"{D.then} replicas, message {D.message}"))).because(
        "helm get values shows what is set now: an upgrade begins with the chart's own values, unless it reuses those "
        "of the release, and a name that the chart does not know sets nothing. The next upgrade undoes what kubectl did"
    )
    kept = chart.is_in(lab, last) and chart.lies_there(lab)
    expect(holds(kept, "of the given chart, whose files are as they were", "the chart's files are others")).because(
        "a chart is for many releases: what one of them needs is set for it, and the files stay as they are"
    )
    await _answers(lab, D.new, D.message, D.then)


def _set(release: Release) -> str:
    """What was set for a revision, of what was wanted."""
    return f"{values(release).get('replicas')} replicas, message {values(release).get('message')}"


async def _answers(lab: TaskLab, name: str, message: str, replicas: int) -> None:
    """The release's Deployment has its pods, and they answer with the message."""
    await presence.exists(lab, "Deployment", name, "the release is made of it", others=True)
    expect(await lab.objects.deployment(name).rolled_out(within=40)).because(
        "helm does not wait for pods unless it is told to (--wait): kubectl describe says why one isn't ready"
    )
    deployment = await lab.objects.deployment(name).present()
    expect(observe(f"replicas of {name}", deployment["spec"]["replicas"], equal_to(replicas))).because(
        "helm get values shows what is set now: an upgrade begins with the chart's own values, unless it reuses those "
        "of the release"
    )
    answer = await lab.traffic.first_answer(
        lambda: lab.traffic.get(name, "/", within=3), lambda one: one.text == message, within=10
    )
    expect(observe(f"answer of {name}", answer.text or answer.shown, equal_to(message))).because(
        "the message is a value; what an upgrade does not set or reuse is the chart's own again"
    )
