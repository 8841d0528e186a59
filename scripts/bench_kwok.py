"""Nodes and pods that are not there: kwok plays them, from this machine, for as long as a block runs.

The nodes have a taint, so nothing else comes to them but what runs on every node. Pods are brought to them by the bench
itself, in the scheduler's place: learners' pods may tolerate no taint.
"""

from __future__ import annotations

import contextlib
import itertools
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mlops_lab.base.processes import ended, start
from mlops_lab.base.progress import Progress
from mlops_lab.engine.docker import Docker, architecture
from mlops_lab.images.build import run_steps
from mlops_lab.images.catalog import sources
from mlops_lab.images.recipes import kwok
from mlops_lab.images.store import Store
from mlops_lab.kube.client import Kube, Object
from mlops_lab.kube.errors import translated
from mlops_lab.kube.kubeconfig import for_namespace

LABEL, SCHEDULER = "mlops-lab/simulated", "mlops-lab-bench"
NODES = 10
READY, RUNNING = 60.0, 300.0  # s
# Addresses that are set aside for measurements (RFC 2544), so they are nobody's here.
_PODS, _NODE = "198.18.0.0/16", "198.19.255.1"
_ROOM = {"cpu": "32", "memory": "256Gi", "pods": "250"}


def brought() -> tuple[Path, Path]:
    """kwok and what its nodes and pods do, built if need be."""
    store = Store()
    if found := kwok.paths(store):
        return found
    known = sources("build", architecture(""))
    run_steps([kwok.program(known), kwok.stages(known)], Docker({}), store, Progress())
    found = kwok.paths(store)
    assert found
    return found


def node(number: int) -> Object:
    """A node that kwok plays."""
    name = f"bench-node-{number}"
    labels = {LABEL: "true", "kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}
    return {
        "apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels},
        "spec": {"taints": [{"key": LABEL, "value": "true", "effect": "NoSchedule"}]},
        "status": {"allocatable": _ROOM, "capacity": _ROOM},
    }  # fmt: skip


def words(program: Path, stages: Path, kubeconfig: Path) -> list[str | Path]:
    """kwok's command line: these nodes alone, and it listens nowhere."""
    return [
        program, "--config", stages, "--kubeconfig", kubeconfig,
        "--manage-nodes-with-label-selector", f"{LABEL}=true", "--cidr", _PODS, "--node-ip", _NODE,
    ]  # fmt: skip


@contextlib.contextmanager
def playing(kube: Kube) -> Iterator[None]:
    """Nodes that are played while the block runs; afterwards they and all on them are gone.

    Raises:
        SystemExit: they do not become ready.
    """
    program, stages = brought()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "kubeconfig"
        file.touch(mode=0o600)
        file.write_text(for_namespace(kube, "default"), "utf-8")
        with (
            (Path(folder) / "log").open("w+b") as log,
            ended(start(words(program, stages, file), stdout=log, stderr=log)),
        ):
            try:
                for number in range(NODES):
                    kube.create(node(number))
                if not kube.wait_all("Node", None, _all_ready, selector=f"{LABEL}=true", within=READY)[0]:
                    log.seek(0)
                    said = log.read()[-2000:].decode(errors="replace")
                    raise SystemExit(f"nodes that kwok plays did not become ready; it said:\n{said}")
                yield
            finally:
                remove(kube)


def remove(kube: Kube) -> None:
    """Take the nodes away; the control plane then forgets the pods on them."""
    for each in kube.list("Node", selector=f"{LABEL}=true"):
        kube.delete("Node", each["metadata"]["name"])


def pod(name: str, template: Object) -> Object:
    """A pod that no scheduler looks at, like those of a Deployment; nothing is to be done when it ends."""
    spec = {**template["spec"], "schedulerName": SCHEDULER, "terminationGracePeriodSeconds": 0}
    spec["containers"] = [
        {key: value for key, value in each.items() if key != "lifecycle"} for each in spec["containers"]
    ]
    labels = {**(template.get("metadata") or {}).get("labels", {}), LABEL: "true"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels}, "spec": spec}


def run(kube: Kube, spaces: Sequence[str], template: Object, each: int) -> int:
    """Have so many pods run in each namespace; how many that are.

    Raises:
        SystemExit: not all run in time.
    """
    for number, (space, _) in enumerate(itertools.product(spaces, range(each))):
        name = f"simulated-{number}"  # no two have the same, wherever they are: they are waited for by it
        kube.apply([pod(name, template)], space)
        _bind(kube, space, name, f"bench-node-{number % NODES}")
    count = len(spaces) * each
    running, seen = kube.wait_all(
        "Pod", None, lambda pods: (sum(map(_runs, pods)) == count) or None, selector=f"{LABEL}=true", within=RUNNING
    )
    if not running:
        raise SystemExit(f"of {count} simulated pods {sum(map(_runs, seen))} run")
    return count


def _bind(kube: Kube, space: str, name: str, node: str) -> None:
    """What a scheduler says. A pod that was bound before stays where it is."""
    body: dict[str, Any] = {
        "apiVersion": "v1", "kind": "Binding", "metadata": {"name": name},
        "target": {"apiVersion": "v1", "kind": "Node", "name": node},
    }  # fmt: skip
    path = f"/api/v1/namespaces/{space}/pods/{name}/binding"
    with translated(f"Pod {name} in {space}"):
        kube.api_client.call_api(
            path, "POST", body=body, auth_settings=["BearerToken"], response_type="object", _request_timeout=30,
            header_params={"Content-Type": "application/json", "Accept": "application/json"},
        )  # fmt: skip


def _runs(item: Object) -> bool:
    return bool((item.get("status") or {}).get("phase") == "Running")


def _all_ready(nodes: list[Object]) -> bool | None:
    return True if len(nodes) == NODES and all(map(_ready, nodes)) else None


def _ready(item: Object) -> bool:
    conditions = (item.get("status") or {}).get("conditions") or []
    return any((each["type"], each["status"]) == ("Ready", "True") for each in conditions)
