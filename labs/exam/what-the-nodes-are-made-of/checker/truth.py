"""The true answers, from the cluster itself."""

from __future__ import annotations

from mlops_lab.checks import absent, expect
from mlops_lab.kit import presence
from mlops_lab.kube.client import Object
from mlops_lab.tasks import nodes
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn

_D = drawn(Drawn, __file__)
_KUBELET = "/var/lib/kubelet/config.yaml"


async def network(lab: TaskLab) -> str:
    """Of the network: a file, or a range of addresses."""
    if _D.network == "plugin":
        found = await nodes.printed(lab, nodes.worker(lab), "find", "/etc/cni/net.d", "-type", "f")
        files = sorted(each for each in found.split() if each.rpartition(".")[2] in ("conf", "conflist", "json"))
        return _known(files[0] if files else "")
    if _D.network == "pods":
        return _known(str((await _node(lab))["spec"].get("podCIDR") or ""))
    return _known(await _flag(lab, "service-cluster-ip-range"))


async def runtime(lab: TaskLab) -> str:
    """Of the runtime: its version, its endpoint or a container."""
    if _D.runtime == "version":
        return _known(str((await _node(lab))["status"]["nodeInfo"]["containerRuntimeVersion"]))
    if _D.runtime == "socket":
        return _known(await _setting(lab, nodes.worker(lab), "containerRuntimeEndpoint"))
    status = (await _pod(lab)).get("status") or {}
    ids = [str(each.get("containerID") or "") for each in status.get("containerStatuses") or []]
    return _known(ids[0].rpartition("/")[2] if ids else "")


async def files(lab: TaskLab) -> str:
    """Of files and folders on the nodes."""
    if _D.files == "logs":
        meta = (await _pod(lab))["metadata"]
        return f"/var/log/pods/{meta['namespace']}_{meta['name']}_{meta['uid']}"
    if _D.files == "static":
        return _known(await _setting(lab, nodes.control_plane(lab), "staticPodPath"))
    return _known(await _flag(lab, "tls-cert-file"))


async def _pod(lab: TaskLab) -> Object:
    return await presence.exists(lab, "Pod", _D.pod, "the question is about it: it was to stay")


async def _node(lab: TaskLab) -> Object:
    return await presence.exists(lab, "Node", nodes.worker(lab), "the question is about it: it was to stay")


async def _flag(lab: TaskLab, flag: str) -> str:
    server = f"kube-apiserver-{nodes.control_plane(lab)}"
    pod = await lab.elsewhere("kube-system").named("Pod", server).present()
    words = pod["spec"]["containers"][0].get("command") or []
    return next((word.partition("=")[2] for word in words if word.startswith(f"--{flag}=")), "")


async def _setting(lab: TaskLab, node: str, setting: str) -> str:
    said = await nodes.printed(lab, node, "grep", f"^{setting}:", _KUBELET)
    return said.partition(":")[2].strip().strip("\"'")


def _known(answer: str) -> str:
    if not answer:
        expect(absent("the cluster is as it was, and says it", "it does not say it any more")).because(
            "questions are answered by looking, and nothing is changed for that"
        )
    return answer
