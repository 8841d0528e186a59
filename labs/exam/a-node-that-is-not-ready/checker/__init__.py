"""The checks."""

from mlops_lab.checks import check, equal_to, expect, holds, observe
from mlops_lab.tasks import nodes
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.kubelet_files import outlasts
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn

D = drawn(Drawn, __file__)
_DOMAINS = ("cka/troubleshooting",)
_READY_WITHIN, _RUNS_WITHIN, _AGAIN_WITHIN = 15.0, 20.0, 20.0
_SERVICES = ("kubelet", "containerd")


@check(points=3, domains=_DOMAINS)
async def is_ready(lab: TaskLab) -> None:
    """The worker is Ready, and its kubelet is heard of."""
    await nodes.must_answer(lab)
    began = nodes.now()
    seen = await nodes.speaks_again(lab, nodes.worker(lab), after=began, within=_READY_WITHIN)
    expect(seen).because(
        "a node is Ready while its kubelet says so, every ten seconds; systemctl status and journalctl on the node say "
        "why it does not"
    )


@check(points=2, needs=is_ready, domains=_DOMAINS)
async def takes_pods(lab: TaskLab) -> None:
    """A new pod runs on it, and both pods of the Deployment are ready."""
    expect(await nodes.takes_a_pod(lab, nodes.worker(lab), within=_RUNS_WITHIN)).because(
        "no pod is placed on a node that is cordoned or has a taint that the pod does not tolerate"
    )
    await nodes.must_be_whole(
        lab,
        D.app,
        pods=2,
        within=_RUNS_WITHIN,
        why="its pods wait for the node; kubectl describe pod says for what else",
    )


@check(points=2, needs=is_ready, owns="kubelet", domains=_DOMAINS)
async def stays_mended(lab: TaskLab) -> None:
    """The node's services begin with it, and the kubelet goes on after a restart."""
    worker = nodes.worker(lab)
    for service in _SERVICES:
        said = await lab.machines.run(worker, "systemctl", "is-enabled", service)
        expect(observe(f"service {service}", said.stdout.strip() or "not known", equal_to("enabled"))).because(
            "only a service that is enabled is started with the node: systemctl enable"
        )
    await lab.machines.run(worker, "timeout", "20", "systemctl", "restart", "kubelet")
    began = nodes.now()
    expect(await nodes.speaks_again(lab, worker, after=began, within=_AGAIN_WITHIN)).because(
        "what was started by hand, or changed without systemctl daemon-reload, is not what the service does"
    )
    own = await nodes.printed(lab, worker, "systemctl", "show", "--property=MainPID", "--value", "kubelet")
    all_of_them = (await nodes.printed(lab, worker, "pgrep", "-x", "kubelet")).split()
    expect(
        holds(all_of_them == [own], "the one kubelet that runs is the service's", "one runs that is not the service's")
    ).because("beside one that was started by hand the service's own can't begin; with the node it alone is started")
    expect(await outlasts(lab, worker)).because(
        "/run and /tmp are empty when a machine has started: what lies there mends the node until then"
    )
