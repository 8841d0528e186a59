"""The checks."""

import hashlib
from pathlib import Path

from mlops_lab.checks import Lab, Observation, check, equal_to, expect, holds, is_ready, observe
from mlops_lab.kit import deployments, given, pushed
from mlops_lab.kit.answering import must_answer
from mlops_lab.kit.pods import containers_of, leaving, name, states
from mlops_lab.kit.prerequisites import must
from mlops_lab.kube.client import Object
from mlops_lab.measure.images import layers
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn

D = drawn(Drawn, __file__)
_START = Path(__file__).parents[1] / "start"
_IMAGE, _ALSO = f"{D.image}:{D.tag}", f"{D.image}:{D.also}"
_BASE = "flight-delay:v1"
_NEXT_WITHIN = 20.0  # s


async def content(lab: Lab) -> layers.Content:
    """What is in the pushed image, and where the key is in it."""
    return await pushed.content(lab, _IMAGE, _BASE, {"the key": D.key.encode()})


@check(points=3, domains=("ckad/design-and-build",))
async def runs_in_the_cluster(lab: TaskLab) -> None:
    """The Deployment's pod runs the pushed image, and answers: the given server, its release, the image's user."""
    there = await pushed.digest(lab, _IMAGE)
    expect(holds(bool(there), f"an image {_IMAGE} in the registry", "there is none")).because(
        f"docker push {lab.platform.registry}/{_IMAGE} takes what docker build -t has given that name"
    )
    await deployments.exists(lab, D.app, why="it was there when the task began; leave it where it is")
    must(
        await deployments.rolled_out(lab, D.app, within=20),
        "a pod that has waited for its image tries again after minutes: delete it, and the next one pulls at once. "
        "runAsNonRoot wants a number as the image's USER: the kubelet doesn't look into the image for names",
    )
    await given.must_be_given(lab, _START, D.app, why="the image has all that it needs")
    must(await given.around_is_given(lab, _START, D.app), "what is missing is the image, and nothing else")
    must(await given.given_service(lab, _START, D.app), "the Service stays as it is")
    must(_of_the_image_alone(await lab.objects.deployment(D.app).present()), "the image says it, and nothing beside it")
    await _must_run(lab, there)
    answer = await lab.traffic.first_answer(lambda: lab.traffic.get(D.app, "/"), within=15)
    expect(observe("status of GET / (0: no answer)", answer.status, equal_to(200))).because(
        "leave the Service as it is"
    )
    told = answer.fields()
    program = hashlib.sha256((_START / "server.py").read_bytes()).hexdigest()
    expect(holds(told.get("program") == program, "the server that was given", "another program")).because(
        "server.py stays as it is; the image starts it"
    )
    expect(observe("release", told.get("release"), equal_to(D.release))).because(
        "ENV in the Dockerfile sets a variable for whatever runs in the image; the Deployment sets none"
    )
    env = ((await lab.once(content)).config.get("config") or {}).get("Env") or []
    set_to = ", ".join(each for each in env if each.startswith("RELEASE=")) or "no RELEASE"
    expect(observe("the image's own variable", set_to, equal_to(f"RELEASE={D.release}"))).because(
        "a variable that the image's command sets is there for that command alone: docker inspect shows the image's own"
    )
    expect(observe("user", told.get("user"), equal_to(D.uid))).because(
        "USER in the Dockerfile says as whom the image's program runs, where the pod does not"
    )
    await must_answer(lab, D.app, D.app)


async def _must_run(lab: TaskLab, digest: str) -> None:
    """What is pushed now runs: pods of an earlier push are deleted, and those that come in their place get ready.

    Raises:
        Failure: they do not.
    """
    pods = [each for each in await deployments.owned_pods(lab, D.app) if is_ready(each) and not leaving(each)]
    before = {each["metadata"]["uid"]: name(each) for each in pods if not _runs(each, digest)}
    if not before:
        return
    for each in before.values():
        await lab.objects.kill(each)
    seen = await lab.time.eventually(
        lambda: deployments.owned_pods(lab, D.app),
        lambda now: bool(now) and all(is_ready(each) and each["metadata"]["uid"] not in before for each in now),
        expected=f"the next pod, of what {_IMAGE} means now, is ready",
        shown=lambda now: "; ".join(states(now)) or "no pods", within=_NEXT_WITHIN,
    )  # fmt: skip
    must(seen, "a pod goes on with the image that it was started from; what was pushed since is run by the next one")


def _runs(pod: Object, digest: str) -> bool:
    """Does a pod's container run the image of that digest, as the node says?"""
    return any(str(each.get("imageID")).endswith(f"@{digest}") for each in containers_of(pod))


def _of_the_image_alone(deployment: Object) -> Observation:
    """Does the Deployment leave it to the image which variables there are, and as whom it runs?"""
    spec = deployment["spec"]["template"]["spec"]
    container = spec["containers"][0]
    more = [field for field in ("env", "envFrom", "securityContext") if container.get(field)]
    more += [field for field in spec.get("securityContext") or {} if field != "runAsNonRoot"]
    return holds(not more, "variables and user are those of the image", f"the Deployment has {', '.join(more)}")


@check(points=2, needs=runs_in_the_cluster, domains=("ckad/design-and-build",))
async def keeps_the_key_out(lab: TaskLab) -> None:
    """The key is in no layer that the Dockerfile adds, and not in what describes the image.

    Archives and compressed files are opened, and Base64 and hexadecimal are read.
    """
    found = await lab.once(content)
    where = "; ".join(dict.fromkeys(map(str, found.hits)))
    expect(
        Observation(not found.hits, "no key in the image", where[:300] or f"none in {len(found.layers)} layers")
    ).because(
        "an image is all of its layers, and whoever may pull it can read each of them: what one brings and the next "
        "one deletes is still there, and an archive is unpacked. COPY . takes all files, but for those that "
        ".dockerignore names"
    )


@check(points=1, needs=runs_in_the_cluster, domains=("ckad/design-and-build",))
async def has_two_names(lab: TaskLab) -> None:
    """Both tags mean the same image in the registry."""
    one, other = await pushed.digest(lab, _IMAGE), await pushed.digest(lab, _ALSO)
    seen = f"{D.also}: {other[:19] or 'nothing'}, {D.tag}: {one[:19]}"
    expect(Observation(one == other, f"{D.also} and {D.tag} are one image", seen)).because(
        "docker tag gives an image one more name, and docker push takes one name at a time; what is built once more, "
        "with other labels or of other files, is another image"
    )
