"""The checks."""

import json

from mlops_lab.checks import check, equal_to, expect, holds, is_ready, observe
from mlops_lab.kit.pods import images
from mlops_lab.kube.client import Object
from mlops_lab.tasks import nodes
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn

D = drawn(Drawn, __file__)
_DOMAINS = ("cka/troubleshooting",)
_RUNS_WITHIN, _PLACED_WITHIN, _KNOWN_WITHIN = 20.0, 20.0, 10.0
_STATIC = "kubernetes.io/config.source"
_CONF = "/etc/kubernetes/scheduler.conf"
# The annotation of the task's Namespace that has the container as it was, and what of that is compared.
_CONTAINER, _COMPARED = "mlops-lab/container", ("livenessProbe", "readinessProbe", "resources", "startupProbe")
_FLAGS = {
    f"--authentication-kubeconfig={_CONF}", f"--authorization-kubeconfig={_CONF}", "--bind-address=127.0.0.1",
    f"--kubeconfig={_CONF}", "--leader-elect=true",
}  # fmt: skip


@check(points=3, domains=_DOMAINS)
async def runs_as_a_static_pod(lab: TaskLab) -> None:
    """The scheduler runs on the control plane, from its manifest, and is ready."""
    await nodes.must_answer(lab)
    name = f"kube-scheduler-{nodes.control_plane(lab)}"
    seen = await lab.elsewhere("kube-system").named("Pod", name).until(
        is_ready, expected="is ready", shown=lambda pod: "it is not there" if pod is None else "it is not ready",
        within=_RUNS_WITHIN,
    )  # fmt: skip
    expect(seen).because("the kubelet starts what is in /etc/kubernetes/manifests; crictl logs shows what it said last")
    found = await lab.elsewhere("kube-system").named("Pod", name).present()
    source = (found["metadata"].get("annotations") or {}).get(_STATIC, "the API server")
    expect(observe("the pod comes from", source, equal_to("file"))).because("a static pod is started by its node alone")


@check(points=2, needs=runs_as_a_static_pod, domains=_DOMAINS)
async def pods_are_placed(lab: TaskLab) -> None:
    """Both pods of the Deployment are ready, and a new pod is placed, too."""
    pods = await nodes.must_be_whole(
        lab, D.app, pods=2, within=_PLACED_WITHIN, why="a scheduler that runs places what waits for it within seconds"
    )
    by = sorted({str(pod["spec"].get("schedulerName")) for pod in pods})
    expect(observe("placed by", ", ".join(by), equal_to("default-scheduler"))).because("it was to be the cluster's own")
    template = (await lab.objects.deployment(D.app).present())["spec"]["template"]["spec"]
    named = "nodeName" in template
    expect(holds(not named, "the template names no node", "the template names a node")).because(
        "a pod that names its node needs no scheduler, and is there whether it fits or not"
    )
    expect(await nodes.takes_a_pod(lab, nodes.worker(lab), within=_PLACED_WITHIN)).because(
        "the scheduler must go on when what has waited is placed"
    )


@check(points=1, needs=runs_as_a_static_pod, domains=_DOMAINS)
async def all_else_is_as_before(lab: TaskLab) -> None:
    """Version, flags, probes, requests and kubeconfig are those of before."""
    system, node = lab.elsewhere("kube-system"), nodes.control_plane(lab)
    pod = await system.named("Pod", f"kube-scheduler-{node}").present()
    server = await system.named("Pod", f"kube-apiserver-{node}").present()
    wanted = images(server)[0].rpartition(":")[2]
    expect(observe("its version", images(pod)[0].rpartition(":")[2], equal_to(wanted))).because(
        "the scheduler is of the API server's version, or one behind it, and here it was the same"
    )
    flags = _flags(pod["spec"]["containers"][0])
    other = [f"more: {each}" for each in sorted(flags - _FLAGS)] + [f"less: {each}" for each in sorted(_FLAGS - flags)]
    expect(holds(not other, "its flags are those that kubeadm gave it", "; ".join(other))).because(
        "what works beside the fault is left alone: without an election two schedulers would place the same pods"
    )
    space = await lab.objects.named("Namespace", lab.namespace).present()
    was = json.loads((space["metadata"].get("annotations") or {}).get(_CONTAINER) or "{}")
    container = pod["spec"]["containers"][0]
    parts = [each for each in _COMPARED if (container.get(each) or {}) != (was.get(each) or {})]
    expect(holds(not parts, "its probes and requests as before", f"another {', '.join(parts)}")).because(
        "what kept the scheduler from being ended in the search for the fault is taken back, too"
    )
    paths = [(each.get("hostPath") or {}).get("path") for each in pod["spec"].get("volumes") or []]
    expect(observe("it reads", ", ".join(sorted(filter(None, paths))), equal_to(_CONF))).because(
        "the file has the scheduler's own certificate, with the scheduler's own rights"
    )
    words = ("kubectl", "--kubeconfig", _CONF, "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}")
    seen = await lab.time.eventually(
        lambda: nodes.printed(lab, node, *words), lambda said: said == "system:kube-scheduler",
        expected=f"who has {_CONF} is system:kube-scheduler", shown=lambda said: said or "nobody",
        within=_KNOWN_WITHIN,
    )  # fmt: skip
    expect(seen).because("with another one's certificate it may do more than a scheduler has to, or less")


def _flags(container: Object) -> set[str]:
    """What a container is started with: `--name=value` each, and `true` where there is no value."""
    words = [*(container.get("command") or []), *(container.get("args") or [])]
    return {word if "=" in word else f"{word}=true" for word in words if word.startswith("--")}
