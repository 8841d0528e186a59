"""The checks."""

from mlops_lab.checks import check, equal_to, expect, holds, observe
from mlops_lab.kit import presence
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .built import base_is_given, complaints, follows_the_base, overlay
from .draw import Drawn

D = drawn(Drawn, __file__)
_DOMAINS = ("cka/cluster-architecture", "ckad/deployment")


@check(points=3, domains=_DOMAINS)
async def overlay_is_right(lab: TaskLab) -> None:
    """The overlay makes of the base, which is as it was, what was wanted, and would do so if that had more in it."""
    made = await overlay(lab)
    expect(holds(base_is_given(lab), "the base's files are as they were", "a file of base/ is another one")).because(
        "a base is for many overlays: what one of them needs is in that one"
    )
    wrong = list(complaints(made))
    right = f"{len(made)} objects with prefix, replicas, image, port and ConfigMap as wanted"
    expect(holds(not wrong, right, "; ".join(wrong[:3]), evidence=wrong[3:])).because(
        "kubectl kustomize overlay prints what it makes; names in images, replicas and generators are those of the "
        "base, and of an image without its tag. A generated ConfigMap has a hash of its content in its name, so that "
        "the Deployment changes with it"
    )
    expect(await follows_the_base(lab)).because(
        "an overlay names the base's folder among its resources, and says only what is other there; a copy of the "
        "base's files, or of what is in them, stays as it is when somebody mends the base"
    )


@check(points=3, needs=overlay_is_right, domains=_DOMAINS)
async def is_applied(lab: TaskLab) -> None:
    """What the overlay makes runs in the Namespace and answers with the greeting."""
    made = await overlay(lab)
    name = f"{D.prefix}-{D.app}"
    found = await presence.exists(lab, "Deployment", name, "kubectl apply -k applies a kustomization", others=True)
    wanted = made["Deployment", name]["spec"]["template"]["spec"]["containers"][0]
    now = found["spec"]["template"]["spec"]["containers"][0]
    same = all(now.get(key) == wanted.get(key) for key in ("image", "envFrom")) and (
        found["spec"]["replicas"] == D.replicas
    )
    expect(holds(same, f"Deployment {name} is the overlay's", "its replicas, image or ConfigMap are others")).because(
        "what is changed in the files is changed in the cluster when they are applied again"
    )
    expect(await lab.objects.deployment(name).rolled_out(within=40)).because(
        "kubectl describe says why a pod of it isn't ready"
    )
    answer = await lab.traffic.first_answer(
        lambda: lab.traffic.get(name, "/", port=D.port, within=3),
        lambda one: one.text.startswith(D.greeting),
        within=10,
    )
    expect(observe(f"answer of {name}", answer.text or answer.shown, equal_to(f"{D.greeting}, {D.farewell}"))).because(
        "the service answers with what its pods have read of the ConfigMap"
    )
