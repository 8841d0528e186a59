"""The checks."""

from pathlib import Path

from mlops_lab.checks import Observation, check, equal_to, expect, holds, observe
from mlops_lab.kit import deployments, presence
from mlops_lab.kit.unchanged import unchanged
from mlops_lab.kube.client import Object
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .changing import answered, follows
from .draw import Drawn

D = drawn(Drawn, __file__)
_COMMAND = "python3 /program/sign.py"
_START = Path(__file__).parents[1] / "start"


@check(points=2, domains=("cka/troubleshooting", "ckad/environment-configuration-and-security"))
async def answers_with_what_is_there_now(lab: TaskLab) -> None:
    """The answer has the text and the colour that the ConfigMaps have, which are as they were."""
    for name, key, wanted in ((f"{D.name}-text", "text", D.text), (f"{D.name}-colour", "colour", D.colour)):
        found = await presence.exists(lab, "ConfigMap", name, "it was there, and was to stay", others=True)
        data = {each: str(value)[:100] for each, value in (found.get("data") or {}).items()}
        expect(observe(f"entries of ConfigMap {name}", data, equal_to({key: wanted}))).because(
            "it was right, and was to stay: whoever changes it later knows nothing of a copy in it"
        )
    await deployments.exists(lab, D.name, why="the Service's pods are this Deployment's")
    expect(await deployments.rolled_out(lab, D.name, within=20)).because(
        "kubectl describe pod says why a pod does not begin: a volume, perhaps, whose ConfigMap or key is not there"
    )
    expect(await answered(lab, D, f"{D.text} in {D.colour}", within=10)).because(
        "what a container was given when it began, it has until it ends; a folder that is mounted hides all that was "
        "in it before"
    )


@check(
    points=3,
    needs=answers_with_what_is_there_now,
    owns="the ConfigMap",
    domains=("cka/troubleshooting", "ckad/environment-configuration-and-security"),
)
async def follows_a_change(lab: TaskLab) -> None:
    """A change of the text in the ConfigMap reaches the answers, from the same pods and the same program."""
    expect(await _runs_the_program(lab)).because(
        "the program can do it as it is: it reads its files whenever it is asked"
    )
    expect(await follows(lab, D)).because(
        "Kubernetes renews the files of a ConfigMap's volume where it is mounted as a folder; variables, copies and "
        "files with a subPath stay as they were when the container began"
    )


async def _runs_the_program(lab: TaskLab) -> Observation:
    """Is the program what it was, and does each pod run it?"""
    given = await unchanged(lab, _START, "ConfigMap", f"{D.name}-program")
    if not given.ok:
        return given
    containers = [_sign(pod["spec"]["containers"]) for pod in await deployments.owned_pods(lab, D.name)]
    commands = {" ".join([*(each.get("command") or []), *(each.get("args") or [])]) for each in containers}
    seen = f"containers that run {', '.join(sorted(commands)) or 'nothing'}"
    return holds(commands == {_COMMAND}, "the program that was given, and its command", otherwise=seen)


def _sign(containers: list[Object]) -> Object:
    """The container with the program; others may be beside it."""
    return next((each for each in containers if each["name"] == "sign"), containers[0])
