"""The checks."""

from mlops_lab.checks import Observation, check, equal_to, expect, holds, observe
from mlops_lab.kit import deployments, inside
from mlops_lab.kit.answering import must_answer
from mlops_lab.kit.debuggers import ended_debuggers
from mlops_lab.kit.pods import leaving, lives_long, name
from mlops_lab.kit.predictions import predicted
from mlops_lab.kube.client import Object
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn
from .programs import PROGRAM, SERVER, WRITE

D = drawn(Drawn, __file__)


@check(points=3)
async def gives_the_other_models_values(lab: TaskLab) -> None:
    """The Service gives the wanted model's own values for flights that you don't see, from the Deployment's pods."""
    await inside.settled(
        lab, D.model, within=25,
        why="kubectl describe pod says in its events what holds a pod up; an init container has a log: kubectl logs -c",
    )  # fmt: skip
    found = await predicted(lab, D.model, rows=20, within=15)
    expect(found.status()).because("the server answers with 503 as long as it has no model, and says why")
    expect(found.version(D.wanted)).because(
        "the server loads the folder that MODEL_DIR names when it starts; its own image has another model in /model"
    )
    expect(found.values(D.wanted)).because("the values are those of the files that were loaded")
    await must_answer(lab, D.model, D.model)


@check(points=2, needs=gives_the_other_models_values)
async def by_the_same_server(lab: TaskLab) -> None:
    """Container `server` is of the image that it was of, runs its server, is alone in its pod once that has started."""
    for pod in await _pods(lab):
        own = [each["image"] for each in pod["spec"]["containers"] if each["name"] == "server"]
        image = str(own[0]) if own else "there is none"
        expect(observe("image of container server", image, equal_to(lab.platform.image(D.now)))).because(
            "the other image has another server, too; only its model is wanted"
        )
        ended = ended_debuggers(pod)
        lasting = [str(each["name"]) for each in lives_long(pod["spec"]) if each["name"] not in ended]
        expect(observe("containers that run on", ", ".join(lasting), equal_to("server"))).because(
            "what only copies files has done so before the server starts: that is an init container, which ends"
        )
        said = await inside.printed(lab, pod, "python3", "-c", PROGRAM, container="server")
        program = " ".join(said.lines).strip()
        right = program.endswith("python3 -m server")
        expect(Observation(right, "its process is python3 -m server", program[:80] or "unknown")).because(
            "the image's own entrypoint starts the server; without a command it stays"
        )
        mounted = " ".join((await inside.printed(lab, pod, "python3", "-c", SERVER, container="server")).lines)
        expect(holds(mounted == "/", "its server is the image's own", f"it is in {mounted or 'nothing'}")).because(
            "python3 -m looks for the server in the working directory and on PYTHONPATH first: what is mounted there "
            "or over the image's own starts in its place"
        )


@check(points=1, needs=gives_the_other_models_values)
async def cannot_write_there(lab: TaskLab) -> None:
    """A process in container `server` can't write into the folder of its model by any mount, nor allow itself to."""
    for pod in await _pods(lab):
        said = await inside.printed(lab, pod, "python3", "-c", WRITE, container="server")
        told = " ".join(said.lines)[:120]
        expect(holds(told == "read-only", "the folder can't be written to", told or "nothing is said of it")).because(
            "whoever breaks into the server could exchange its model, where the container may write; a mount is "
            "read-only where it says so, and another one of the same volume is not"
        )


async def _pods(lab: TaskLab) -> list[Object]:
    """The Deployment's pods."""
    found = [each for each in await deployments.owned_pods(lab, D.model) if not leaving(each)]
    expect(holds(bool(found), "pods of the Deployment", "it has none any more")).because(
        "leave its pods where they are"
    )
    return sorted(found, key=name)
