"""The checks."""

import json
from typing import Any

from mlops_lab.checks import LabError, check, equal_to, expect, holds, observe
from mlops_lab.kit.prerequisites import must
from mlops_lab.kube.client import Object
from mlops_lab.tasks import nodes
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn

D = drawn(Drawn, __file__)
_DOMAINS = ("cka/cluster-architecture",)
_SAVED, _STATUS, _RESTORED = f"/var/backups/{D.name}.db", f"/var/backups/{D.name}.json", f"/var/lib/{D.name}"
# etcdctl puts a SHA-256 of the file behind it, whose pages are multiples of 512 bytes.
_CHECKSUM = 32
# What a restored folder begins with; an etcd that has elected itself is in a later term.
_FIRST = "0000000000000001-*.snap"


@check(points=3, domains=_DOMAINS)
async def is_saved(lab: TaskLab) -> None:
    """The file is a whole snapshot of etcd, and has the ConfigMap of today in it."""
    node = nodes.control_plane(lab)
    status = await _status(lab, _SAVED)
    expect(holds(bool(status), f"{_SAVED} is a snapshot", "there is none, or etcdutl can't read it")).because(
        "etcdctl snapshot save asks the etcd that runs, by its endpoint and with a client's certificate"
    )
    size = await nodes.printed(lab, node, "stat", "-c", "%s", _SAVED)
    checked = size.isdigit() and int(size) % 512 == _CHECKSUM
    expect(holds(checked, "it ends with its checksum", "it has no checksum: a copy of the live file")).because(
        "a file that is copied while etcd writes it may be torn, and nobody can tell"
    )
    has = (await lab.machines.run(node, "grep", "-a", "-q", D.value, _SAVED)).code == 0
    expect(holds(has, f"ConfigMap {D.marker} is in it", f"ConfigMap {D.marker} is not in it")).because(
        "a snapshot has all keys of the moment in which it was made"
    )


@check(points=1, needs=is_saved, domains=_DOMAINS)
async def status_is_written(lab: TaskLab) -> None:
    """The other file has the snapshot's status as JSON."""
    node = nodes.control_plane(lab)
    true = await _status(lab, _SAVED)
    if not true:  # it was read a moment ago
        raise LabError(f"etcdutl did not read {_SAVED} a second time", "check again")
    said = _fields(await nodes.printed(lab, node, "head", "-c", "4096", _STATUS))
    expect(holds(bool(said), f"{_STATUS} has a JSON object", "there is none")).because(
        "-w json has etcdutl print for programs"
    )
    other = [f"{name} {said.get(name)}, and it is {value}" for name, value in true.items() if said.get(name) != value]
    expect(holds(not other, f"it says {', '.join(true)} as they are", "; ".join(other)[:200])).because(
        "the status is that of one file, read from it"
    )


@check(points=2, needs=is_saved, domains=_DOMAINS)
async def is_restored(lab: TaskLab) -> None:
    """The folder has the file's data, with the ConfigMap in them, and the cluster's own etcd goes on as before."""
    node = nodes.control_plane(lab)
    for path in ("member/snap/db", "member/wal"):
        there = (await lab.machines.run(node, "test", "-e", f"{_RESTORED}/{path}")).code == 0
        expect(holds(there, f"{_RESTORED}/{path} is there", "it is not there")).because(
            "etcdutl snapshot restore makes a data folder, with which a new etcd could begin"
        )
    has = (await lab.machines.run(node, "grep", "-a", "-q", D.value, f"{_RESTORED}/member/snap/db")).code == 0
    expect(holds(has, f"ConfigMap {D.marker} is in it", f"ConfigMap {D.marker} is not in it")).because(
        "it was to be made of the snapshot"
    )
    first = f"ls {_RESTORED}/member/snap/{_FIRST}"
    made = (await lab.machines.run(node, "sh", "-c", first)).code == 0
    expect(holds(made, "it was begun by a restore", "it was not: it has the history of another etcd")).because(
        "a copy of the live folder is another thing: it is of another moment, and nobody knows whether it is whole"
    )
    # A larger one may be right: --bump-revision, or an etcd that has been tried with the folder.
    saved, restored = [(await _status(lab, path)).get("revision") for path in (_SAVED, f"{_RESTORED}/member/snap/db")]
    older = saved is not None and restored is not None and restored < saved
    must(
        holds(not older, f"it is of {_SAVED}", f"it is of revision {restored}, and the file of {saved}"),
        "a file that is saved anew is another one, and has to be restored anew",
    )
    await nodes.must_answer(lab)
    pod = await lab.elsewhere("kube-system").named("Pod", f"etcd-{node}").present()
    expect(observe("the cluster's etcd has its data in", _data_of(pod), equal_to("/var/lib/etcd"))).because(
        "to try a backup the cluster need not go back to it"
    )


def _data_of(pod: Object) -> str:
    """The folder of the node that has an etcd's data: that which is mounted where its flag says."""
    container = pod["spec"]["containers"][0]
    words = [*(container.get("command") or []), *(container.get("args") or [])]
    inside = next((word.partition("=")[2] for word in words if word.startswith("--data-dir=")), "no folder")
    mounts = {each["mountPath"].rstrip("/"): each["name"] for each in container.get("volumeMounts") or []}
    paths = {each["name"]: (each.get("hostPath") or {}).get("path") for each in pod["spec"].get("volumes") or []}
    return str(paths.get(mounts.get(inside.rstrip("/"), "")) or inside)


async def _status(lab: TaskLab, path: str) -> dict[str, Any]:
    """What etcdutl says of a file; nothing where it can't read it, or where an etcd that runs has it open."""
    words = ("timeout", "15", "etcdutl", "snapshot", "status", path, "-w", "json")
    return _fields(await nodes.printed(lab, nodes.control_plane(lab), *words))


def _fields(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
