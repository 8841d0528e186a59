"""The checks."""

import json
from pathlib import Path

from mlops_lab.checks import Observation, absent, check, equal_to, expect, holds, observe
from mlops_lab.kit import deployments, presence
from mlops_lab.kit.given import in_manifests
from mlops_lab.kit.inside import printed
from mlops_lab.kit.pods import every_container, leaving
from mlops_lab.kit.pods import name as name_of
from mlops_lab.kit.prerequisites import must
from mlops_lab.kit.unchanged import unchanged
from mlops_lab.kit.volumes import mounted
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
    template = (await lab.objects.deployment(D.name).present())["spec"]["template"]["spec"]
    named = f'"{D.name}-colour"' in json.dumps([*every_container(template), *mounted(template)])
    typed = await _typed_in(lab, template)
    otherwise = "a variable in its pod template has the colour itself" if typed else "no container is given it"
    must(
        holds(named and not typed, f"it has the colour from ConfigMap {D.name}-colour", otherwise),
        "a copy in the Deployment stays as it is when the ConfigMap changes",
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


async def _typed_in(lab: TaskLab, template: Object) -> bool:
    """Has a variable the colour itself, and the program it from there? It takes a file first, where there is one."""
    if any(map(_has_the_colour, template.get("initContainers") or [])):
        return True
    if not _has_the_colour(sign := _sign(template["containers"])):
        return False
    pods = [pod for pod in await deployments.owned_pods(lab, D.name) if not leaving(pod)]
    there = [await printed(lab, pod, "test", "-e", "/etc/sign/colour", container=sign["name"]) for pod in pods]
    return any(each.code == 1 for each in there)


def _has_the_colour(container: Object) -> bool:
    return any(each.get("value") == D.colour for each in container.get("env") or [])


async def _runs_the_program(lab: TaskLab) -> Observation:
    """Is the program what it was, and does each pod run it?"""
    given = await unchanged(lab, _START, "ConfigMap", f"{D.name}-program")
    if not given.ok:
        return given
    expected = "the program that was given, and its command"
    pods = [pod for pod in await deployments.owned_pods(lab, D.name) if not leaving(pod)]
    containers = [_sign(pod["spec"]["containers"]) for pod in pods]
    commands = {" ".join([*(each.get("command") or []), *(each.get("args") or [])]) for each in containers}
    if commands != {_COMMAND}:
        return absent(expected, f"containers that run {', '.join(sorted(commands)) or 'nothing'}")
    program = in_manifests(_START, "ConfigMap", f"{D.name}-program")["data"]["sign.py"]
    for pod, container in zip(pods, containers, strict=True):
        there = await printed(lab, pod, "cat", "/program/sign.py", container=container["name"])
        if there.lines != [line for line in program.splitlines() if line]:
            return absent(expected, f"{name_of(pod)} has another program at /program/sign.py")
    return holds(True, expected, "")


def _sign(containers: list[Object]) -> Object:
    """The container with the program; others may be beside it."""
    return next((each for each in containers if each["name"] == "sign"), containers[0])
