"""The checks."""

import base64
from datetime import datetime, timedelta

from mlops_lab.checks import check, expect, holds
from mlops_lab.kube.client import Object
from mlops_lab.tasks import nodes
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn

D = drawn(Drawn, __file__)
_DOMAINS = ("cka/cluster-architecture",)
_TOKEN = "bootstrap.kubernetes.io/token"
_READY_WITHIN, _PODS_WITHIN = 20.0, 20.0


@check(points=3, domains=_DOMAINS)
async def is_a_ready_node(lab: TaskLab) -> None:
    """The machine is a node of the cluster, Ready, and its kubelet is heard of."""
    await nodes.must_answer(lab)
    began = nodes.now()
    seen = await nodes.speaks_again(lab, nodes.worker(lab), after=began, within=_READY_WITHIN)
    expect(seen).because(
        "kubeadm join has the kubelet ask for a certificate, by the token, and then it makes its node; systemctl "
        "status kubelet and journalctl on the machine say why it does not"
    )


@check(points=1, needs=is_a_ready_node, domains=_DOMAINS)
async def token_ends(lab: TaskLab) -> None:
    """No token that the cluster has was made for longer than was allowed."""
    secrets = await lab.elsewhere("kube-system").all("Secret")
    longer = [said for each in secrets if each.get("type") == _TOKEN and (said := _too_long(each))]
    expect(holds(not longer, f"each token was made for {D.hours} hours at most", "; ".join(longer))).because(
        "whoever has a token can have a machine join; kubeadm token list shows how long each is good for, --ttl says it"
    )


@check(points=2, needs=is_a_ready_node, domains=_DOMAINS)
async def pods_are_ready(lab: TaskLab) -> None:
    """Both pods of the Deployment are ready."""
    await nodes.must_be_whole(
        lab,
        D.app,
        pods=2,
        within=_PODS_WITHIN,
        why="a new node takes pods as soon as its network is there, and it is not cordoned",
    )


def _too_long(secret: Object) -> str:
    """What is wrong with a token; empty if nothing is."""
    data = {
        name: base64.b64decode(value).decode(errors="replace") for name, value in (secret.get("data") or {}).items()
    }
    name = data.get("token-id", "without a name")
    end = data.get("expiration", "")
    if not end:
        return f"token {name} never ends"
    try:
        lasts = datetime.fromisoformat(end) - datetime.fromisoformat(secret["metadata"]["creationTimestamp"])
    except (ValueError, TypeError):
        return f"token {name} ends at {end!r}, which is no time"
    longer = lasts > timedelta(hours=D.hours, minutes=1)  # kubeadm reads its clock before the Secret is made
    return f"token {name} is good for {lasts.total_seconds() / 3600:.1f} h from when it was made" if longer else ""
