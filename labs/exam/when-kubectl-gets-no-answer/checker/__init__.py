"""The checks."""

import json
from collections.abc import Sequence

from mlops_lab.checks import check, equal_to, expect, holds, is_ready, observe, one_of
from mlops_lab.kit.pods import name
from mlops_lab.kit.prerequisites import must
from mlops_lab.kube.client import Object
from mlops_lab.tasks import nodes
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn

D = drawn(Drawn, __file__)
_DOMAINS = ("cka/troubleshooting",)
_READY_WITHIN, _SCALED_WITHIN = 20.0, 20.0
_STATIC = "kubernetes.io/config.source"
# What the task may have broken; the annotation of its Namespace that has all other words of the server's command.
_BROKEN, _BEFORE = ("--etcd-servers", "--tls-cert-file", "--client-ca"), "mlops-lab/server"
# What two of these say when they are mended: etcd's port, and the file that kubeadm keeps.
_MENDED = {"--etcd-servers": ":2379", "--tls-cert-file": "/apiserver.crt"}
# The annotation that has its container, and what of that is compared beside the command.
_CONTAINER, _COMPARED = "mlops-lab/container", ("image", "livenessProbe", "readinessProbe", "resources", "startupProbe")
_SECRETS = "https://127.0.0.1:6443/api/v1/secrets"


@check(points=4, domains=_DOMAINS)
async def answers_again(lab: TaskLab) -> None:
    """The API server answers, and is the static pod that it was."""
    expect(await nodes.answering(lab)).because(
        "the kubelet starts it from its manifest, without anybody's help; crictl ps -a and crictl logs on the node "
        "show what it said before it ended"
    )
    own = await nodes.printed(lab, nodes.control_plane(lab), "crictl", "ps", "--quiet", "--name", "^kube-apiserver$")
    expect(holds(bool(own), "it runs in a container", "no container of it runs")).because(
        "what was started by hand ends with the one who started it"
    )
    seen = await lab.time.eventually(
        lambda: _pod(lab), is_ready, expected="the kubelet says that it is ready",
        shown=lambda it: "it has no such pod" if it is None else f"it is {'' if is_ready(it) else 'not '}ready",
        within=_READY_WITHIN,
    )  # fmt: skip
    expect(seen).because("the kubelet asks it by its probes, as it does with other pods")
    source = (seen.value["metadata"].get("annotations") or {}).get(_STATIC, "the API server")
    expect(observe("the pod comes from", source, equal_to("file"))).because("a static pod is started by its node alone")


@check(points=1, needs=answers_again, domains=_DOMAINS)
async def is_scaled(lab: TaskLab) -> None:
    """The Deployment has as many pods as wanted, all ready."""
    await nodes.must_be_whole(
        lab, D.app, pods=D.pods, within=_SCALED_WITHIN,
        why="with the API server the controllers and the scheduler are at work again, within seconds",
    )  # fmt: skip


@check(points=1, needs=answers_again, domains=_DOMAINS)
async def all_else_is_as_before(lab: TaskLab) -> None:
    """It decides by the modes of before, has its other flags, its image and its probes; without credentials nobody gets
    anything.
    """
    seen = await lab.time.eventually(
        lambda: _pod(lab), lambda it: it is not None, expected="its kubelet has it",
        shown=lambda it: "it has it" if it else "it has no such pod", within=_READY_WITHIN,
    )  # fmt: skip
    pod = seen.value
    must(holds(pod is not None, "its kubelet has it", "its kubelet has no such pod"), "it is a static pod")
    container = (pod or {})["spec"]["containers"][0]
    words = [*(container.get("command") or []), *(container.get("args") or [])]
    expect(observe("it decides by", _said(words, "--authorization-mode"), equal_to("Node,RBAC"))).because(
        "what one mode refuses the next one is asked for: with AlwaysAllow behind it nothing is refused"
    )
    space = await lab.objects.named("Namespace", lab.namespace).present()
    before = {*((space["metadata"].get("annotations") or {}).get(_BEFORE) or "").splitlines()}
    other = before ^ {str(word) for word in words if not str(word).startswith(_BROKEN)}
    flags = sorted({each.partition("=")[0] for each in other})
    must(
        holds(not other, "its other flags as before", f"{', '.join(flags)} not as before"),
        "only one line of its manifest was wrong: what was tried in the search for it is taken back, and what kubeadm "
        "makes anew by its defaults is another API server",
    )
    said = {flag: _said(words, flag) for flag in _MENDED}
    beside = [f"{flag}={value}" for flag, value in said.items() if value and _MENDED[flag] not in value]
    must(
        holds(not beside, "what was changed is changed back", f"still {', '.join(beside)}"),
        "what is made or moved so that a wrong line fits is nobody's: kubeadm renews apiserver.crt, and no copy of it",
    )
    own = json.loads((space["metadata"].get("annotations") or {}).get(_CONTAINER) or "{}")
    parts = [each for each in _COMPARED if (container.get(each) or {}) != (own.get(each) or {})]
    must(
        holds(not parts, "its container as before", f"another {', '.join(parts)}"),
        "what kept the server from being ended in the search for the wrong line is taken back, too",
    )
    node = nodes.control_plane(lab)
    curl = ("curl", "-sk", "-m", "5", "-o", "/dev/null", "-w", "%{http_code}", _SECRETS)
    asked = await lab.time.eventually(
        lambda: nodes.printed(lab, node, *curl), bool, expected="an answer", shown=lambda it: it or "none",
        within=_READY_WITHIN,
    )  # fmt: skip
    status = asked.value
    expect(observe("status of a request for Secrets without credentials", status, one_of(["401", "403"]))).because(
        "who shows no credentials is system:anonymous, and RBAC gives it next to nothing"
    )


def _said(words: Sequence[str], flag: str) -> str:
    """What a command says by a flag."""
    return ", ".join(word.partition("=")[2] for word in words if word.startswith(f"{flag}="))


async def _pod(lab: TaskLab) -> Object | None:
    """The API server's pod as its kubelet has it: what the API server shows of it may be a minute old."""
    known = await nodes.kubelets_pods(lab, nodes.control_plane(lab))
    return next((each for each in known if name(each) == f"kube-apiserver-{nodes.control_plane(lab)}"), None)
