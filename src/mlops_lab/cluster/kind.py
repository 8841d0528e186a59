"""The nodes: containers that kind makes. Create, start again, list, remove.

Removing needs no kind (containers are found by kind's label), so `lab down` works in any state.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mlops_lab.base.errors import LabError
from mlops_lab.base.paths import cache, state
from mlops_lab.base.processes import run
from mlops_lab.base.state_files import write
from mlops_lab.base.waiting import wait_until
from mlops_lab.cluster import homes, kubeconfig, names
from mlops_lab.cluster.kind_environment import environment
from mlops_lab.engine import host
from mlops_lab.engine.docker import Docker

_LABEL = "label=io.x-k8s.kind.cluster"
# The folder with containerd's registry settings is mounted into each node. Once more it marks a node as ours, below the
# state folder of the home that made it: engines in virtual machines may tell another source, never another place. The
# mark tells a second cluster's nodes from those of a first one that happens to have its name. Nodes made before there
# were homes in marks are known by the source, and those of a second cluster by `_SECOND` alone.
_HOSTS = "/etc/containerd/certs.d"
_HOSTS_FOLDER = "node-registries"
_FIRST = "/kind/mlops-lab"
_SECOND = "/kind/mlops-lab-second"
_API_SERVER = "6443/tcp"
# What Docker says of a container that has not ended ten seconds after it was killed.
_STAYS = "did not receive an exit event"
_REMOVALS = 3
# runc freezes a pod for a moment when systemd changes its limits. If runc ends meanwhile the pod stays frozen, and with
# control groups of version 1 nothing that is frozen can be killed.
_THAW = """find /freezer -path "*$0*" -name freezer.state | while read -r state; do echo THAWED >"$state"; done"""


@dataclass(frozen=True)
class Node:
    """A node's container; it has an address while it runs.

    Args:
        ours: `lab` made it, from whatever home.
        elsewhere: the folder of the other home that made it; empty where this one did, or nobody knows.
        marked: whose it is is known by a mark, not only by where its settings were.
        server: of a control plane, the address of its API server on this host.
    """

    name: str
    running: bool
    ours: bool
    image: str
    address: str = ""
    elsewhere: str = ""
    server: str = ""
    paused: bool = False
    marked: bool = False


def nodes(docker: Docker, of: str = "") -> list[Node]:
    """The containers of the cluster, running or not, the control plane first.

    The engine lists a container before it has made it (its volumes are filled, which takes seconds for a node); until
    then it can be neither inspected nor removed, so this waits.

    Args:
        of: kind's name of the cluster, if it is not the first one.

    Raises:
        LabError: a container is listed that the engine doesn't know.
    """

    of = of or names.cluster()
    return sorted(
        (_node(item, of == names.second()) for item in _containers(docker, f"{_LABEL}={of}")),
        key=lambda node: (not node.name.endswith("control-plane"), node.name),
    )


def all_nodes(docker: Docker) -> list[Node]:
    """The containers of all of kind's clusters on the engine, whoever made them.

    Raises:
        LabError: a container is listed that the engine doesn't know.
    """
    return [_node(item, None) for item in _containers(docker, _LABEL)]


def _containers(docker: Docker, label: str) -> list[dict[str, Any]]:
    def probe() -> tuple[list[dict[str, Any]] | None, str]:
        ids = docker.run("ps", "-aq", "--filter", label).stdout.split()
        if not ids:
            return [], ""
        found: list[dict[str, Any]] = json.loads(docker.run("inspect", *ids, check=False).stdout or "[]")
        return found if len(found) == len(ids) else None, f"{len(found)} of {len(ids)} containers"

    hint = f"docker ps -a --filter {label} lists them; restart the engine if one can't be inspected"
    return wait_until(probe, what="the cluster's containers", within=60, hint=hint, every=0.2)


def config(
    roles: Sequence[str], missing: tuple[str, ...], cgroup: int, hosts: Path, second: bool = False
) -> dict[str, Any]:
    """kind's configuration.

    Args:
        roles: of the nodes, such as one of `names.NODES`.
        missing: capabilities that containers on this host don't get.
        cgroup: the engine's cgroup version.
        hosts: the folder with containerd's registry settings.
        second: of a second cluster.
    """
    mount = {"hostPath": str(hosts), "containerPath": _HOSTS, "readOnly": True}
    mounts = [mount, {**mount, "containerPath": f"{_SECOND if second else _FIRST}{state().resolve()}"}]
    containerd = [
        f'[plugins."io.containerd.grpc.v1.cri".registry]\n  config_path = "{_HOSTS}"\n',
        # containerd 2.4 measures each container every second, which takes a tenth of two cores where 50 run; the
        # kubelet has its figures from cAdvisor, and only `crictl stats` reads these. Older ones ignore the key.
        '[plugins."io.containerd.cri.v1.runtime"]\n  stats_collect_period = "1m"\n',
    ]
    if "CAP_SYS_RESOURCE" in missing:
        # Without it nobody can lower a process's OOM score, and pods with guaranteed resources would not start.
        containerd.append('[plugins."io.containerd.grpc.v1.cri"]\n  restrict_oom_score_adj = true\n')
    kubelet: dict[str, Any] = {"kind": "KubeletConfiguration"}
    if cgroup == 1:
        kubelet["failCgroupV1"] = False
    patches = [yaml.safe_dump(kubelet, sort_keys=False)] if len(kubelet) > 1 else []
    return {
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "networking": {"apiServerAddress": "127.0.0.1"},
        "nodes": [{"role": role, "extraMounts": list(mounts)} for role in roles],
        "containerdConfigPatches": containerd,
        **({"kubeadmConfigPatches": patches} if patches else {}),
    }


def create(docker: Docker, kind: Path, image: str, size: str) -> None:
    """Create the cluster and add its context to the user's kubeconfig; if that fails, nothing of it is left.

    Raises:
        LabError: kind failed; the detail is the end of its output.
    """
    entries = cache() / "kind" / f"kubeconfig.{os.getpid()}"
    try:
        with _or_nothing(docker, names.cluster()):
            _create(docker, kind, image, names.NODES[size], names.cluster(), entries)
            kubeconfig.merge(yaml.safe_load(entries.read_text()))
    finally:
        entries.unlink(missing_ok=True)


def create_second(docker: Docker, kind: Path, image: str, entries: Path) -> None:
    """Create the second cluster; if that fails, nothing of it is left. The user's kubeconfig is not touched.

    Args:
        entries: the file that gets its context.

    Raises:
        LabError: kind failed; the detail is the end of its output.
    """
    with _or_nothing(docker, names.second()):
        _create(docker, kind, image, names.SECOND_NODES, names.second(), entries)


def _create(docker: Docker, kind: Path, image: str, roles: Sequence[str], name: str, entries: Path) -> None:
    second = name == names.second()
    here, log = cache() / "kind", cache() / "logs" / ("kind-second.log" if second else "kind.log")
    settings = here / ("second.yaml" if second else "config.yaml")
    here.mkdir(parents=True, exist_ok=True)
    wanted = config(roles, host.missing_capabilities(), docker.cgroup_version, registries(), second)
    settings.write_text(yaml.safe_dump(wanted, sort_keys=False))
    log.unlink(missing_ok=True)
    run(
        [kind, "create", "cluster", "--name", name, "--image", image, "--wait", "0s",
         "--config", settings, "--kubeconfig", entries],
        within=600, log=log, hint="run `lab up` again; if it fails again, `lab doctor` looks at the host",
        leaves="docker run", env=environment(),
    )  # fmt: skip


@contextlib.contextmanager
def _or_nothing(docker: Docker, name: str) -> Iterator[None]:
    try:
        yield
    except BaseException:
        with contextlib.suppress(LabError):  # the first trouble is what counts; the next `lab up` clears away the rest
            remove(docker, name)
        raise


def start(docker: Docker, stopped: list[Node]) -> dict[str, float]:
    """Start nodes that were stopped (the engine restarted, say) or paused, the control plane first.

    Returns:
        When that was, by node's name, in Unix seconds and by the nodes' own clock.
    """
    began = docker.clock()
    for node in stopped:
        docker.run("unpause" if node.paused else "start", node.name, within=120)
    return {node.name: began for node in stopped}


def connect(docker: Docker, ranges: Mapping[str, str], of: str = "") -> None:
    """Add routes to the other nodes' pods on each node, as kube-router does.

    kube-router makes them when its peers have found each other by BGP. After a restart of all nodes a peer that asked
    too early asks again only after two minutes (RFC 4271, ConnectRetryTimer), and until then the pods of its node don't
    reach the API server.

    Args:
        ranges: by node's name the addresses of its pods, such as 10.244.1.0/24.
        of: kind's name of the cluster, if it is not the first one.
    """
    there = nodes(docker, of)
    for node in there:
        for other in there:
            if other != node and other.address and ranges.get(other.name):
                docker.run("exec", node.name, "ip", "route", "replace", ranges[other.name], "via", other.address)


def entries(docker: Docker, control_plane: Node) -> dict[str, Any]:
    """The first cluster's kubeconfig as kind makes it, out of its control plane, which runs.

    Raises:
        LabError: it is not there.
    """
    hint = "delete the cluster and make it anew: lab down, lab up"
    done = docker.run("exec", control_plane.name, "cat", "/etc/kubernetes/admin.conf", hint=hint)
    whole, name = yaml.safe_load(done.stdout), names.context()
    cluster = {**whole["clusters"][0]["cluster"], "server": control_plane.server}
    return {
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": name, "user": whole["users"][0]["user"]}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }


def images(docker: Docker) -> set[str]:
    """The images that every node has, by the names that containerd gives them; none without a node."""
    words = ("ctr", "--namespace", "k8s.io", "images", "ls", "-q")
    found = [set(docker.run("exec", each.name, *words, check=False).stdout.split()) for each in nodes(docker)]
    return set.intersection(*found) if found else set()


def forget_images(docker: Docker, refs: Sequence[str]) -> None:
    """Make the nodes pull these images again: the content behind a tag may have changed."""
    for node in nodes(docker):
        docker.run("exec", node.name, "ctr", "--namespace", "k8s.io", "images", "rm", *refs, check=False)


def free_disk(docker: Docker, node: str) -> int | None:
    """Bytes that are free where a node stores images; None where it does not say."""
    done = docker.run("exec", node, "df", "-B1", "--output=avail", "/var/lib/containerd", check=False)
    last = done.stdout.split()[-1:]
    return int(last[0]) if last and last[0].isdigit() else None


def remove(docker: Docker, of: str = "") -> bool:
    """Remove the cluster's containers with their volumes, and its entries in the user's kubeconfig; were there any?

    Args:
        of: kind's name of the cluster, if it is not the first one.

    Raises:
        LabError: somebody else made it.
    """
    found = nodes(docker, of)
    homes.require_ours(found, of)
    if found:
        _take_away(docker, found)
    if not of or of == names.cluster():
        kubeconfig.remove(names.context())
    return bool(found)


def _take_away(docker: Docker, found: list[Node]) -> None:
    """Remove containers, also where one has processes that no signal reaches, or that end slowly."""
    words = ("rm", "-f", "-v", *(node.name for node in found))
    for _ in range(_REMOVALS - 1):
        done = docker.run(*words, within=180, check=False)
        if done.code == 0:
            return
        if _STAYS not in done.stderr:
            break
        if docker.cgroup_version == 1:
            for node in found:
                _thaw(docker, node)
    docker.run(*words, within=180)


def _thaw(docker: Docker, node: Node) -> None:
    container = docker.run("inspect", "--format", "{{.Id}}", node.name, check=False).stdout.strip()
    if container:
        mounted = ("--volume", "/sys/fs/cgroup/freezer:/freezer", "--entrypoint", "sh")
        docker.run("run", "--rm", "--privileged", "--network", "none", *mounted, node.image, "-c", _THAW, container)


def registries() -> Path:
    """The folder with containerd's registry settings: the registry beside the cluster first, then the images' own."""
    folder = cache() / _HOSTS_FOLDER
    inside = f"http://{names.REGISTRY}:5000"
    texts = {
        names.REGISTRY_PREFIX: f'server = "{inside}"\n\n[host."{inside}"]\n  capabilities = ["pull", "resolve"]\n',
        "_default": f'[host."{inside}"]\n  capabilities = ["pull", "resolve"]\n',
    }
    for host_name, text in texts.items():
        path = folder / host_name / "hosts.toml"
        if not path.exists() or path.read_bytes() != text.encode():
            write(path, text)
    return folder


def _node(item: dict[str, Any], second: bool | None = False) -> Node:
    """A container as a node of a first or a second cluster, or with None of either."""
    mounts = {mount["Destination"]: mount.get("Source", "") for mount in item.get("Mounts") or []}
    mark = next((place for place in mounts if place.startswith(_FIRST)), "")  # the other one begins so, too
    source = mounts.get(_HOSTS, "")
    ours = bool(mark) or source.endswith(f"/{_HOSTS_FOLDER}")
    return Node(
        item["Name"].lstrip("/"),
        item["State"]["Running"] and not item["State"].get("Paused"),
        ours and second in (None, mark.startswith(_SECOND)),
        item["Config"]["Image"],
        next((each["IPAddress"] for each in item["NetworkSettings"]["Networks"].values()), ""),
        _elsewhere(mark.removeprefix(_SECOND).removeprefix(_FIRST), source) if ours else "",
        _server(item),
        bool(item["State"].get("Paused")),
        marked=mark not in ("", _FIRST, _SECOND),
    )


def _server(item: dict[str, Any]) -> str:
    published = (item.get("HostConfig", {}).get("PortBindings") or {}).get(_API_SERVER) or [{}]
    return f"https://127.0.0.1:{port}" if (port := published[0].get("HostPort")) else ""


def _elsewhere(home: str, source: str) -> str:
    """The folder of another home, by the state folder that made a node, or without one by where its settings are."""
    if home:
        return "" if home == str(state().resolve()) else home
    own = {str(cache() / _HOSTS_FOLDER), str(cache().resolve() / _HOSTS_FOLDER)}
    return "" if source.endswith(tuple(own)) else str(Path(source).parent)
