"""The checks."""

from mlops_lab.checks import Observation, check, expect, holds
from mlops_lab.kit import texts
from mlops_lab.tasks import nodes
from mlops_lab.tasks.lab import TaskLab

from . import truth

_DOMAINS = ("cka/cluster-architecture",)
_ASKED = "the answer belongs into it, alone in one line"


@check(points=1, domains=_DOMAINS)
async def network_is_known(lab: TaskLab) -> None:
    """What was asked of the network is answered."""
    await nodes.must_answer(lab)
    expect(_answered(lab, "network.txt", await truth.network(lab))).because(
        "a CNI plugin gives pods their addresses, from the node's own range; Services get theirs from another one, "
        "which the API server is told"
    )


@check(points=1, domains=_DOMAINS)
async def runtime_is_known(lab: TaskLab) -> None:
    """What was asked of the container runtime is answered."""
    await nodes.must_answer(lab)
    expect(_answered(lab, "runtime.txt", await truth.runtime(lab))).because(
        "a kubelet speaks CRI with its runtime, at a socket of the node; crictl does so, too"
    )


@check(points=1, domains=_DOMAINS)
async def files_are_known(lab: TaskLab) -> None:
    """What was asked of files on the nodes is answered."""
    await nodes.must_answer(lab)
    expect(_answered(lab, "files.txt", await truth.files(lab))).because(
        "what a node needs without an API server lies on its own disk: static pods, certificates, logs"
    )


def _answered(lab: TaskLab, file: str, true: str) -> Observation:
    lines = texts.lines_of(lab, file, _ASKED)
    said = " ".join(lines)[:200]
    right = said.rstrip("/") == true.rstrip("/")
    return holds(right, f"{file} has the answer", otherwise=f"{file} says {said!r}, which is not so")
