"""A program of the checker's in a pod of its own: for what needs Python packages that this process does not have.

It runs in the tool's namespace with restricted rights, no credentials of the cluster, and a limit on its time; its pod
and files are gone afterwards.
"""

from __future__ import annotations

import base64
import json
import threading
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from mlops_lab.base.errors import LabError
from mlops_lab.kube.client import Kube, Object
from mlops_lab.measure.cluster.environment import SYSTEM_NAMESPACE
from mlops_lab.measure.pods import restricted
from mlops_lab.measure.pods.evidence import evidence, pod_state
from mlops_lab.measure.pods.removal import remove

_FOLDER = "/checker"
_NAME = "app.kubernetes.io/instance"  # the label by which a policy knows its pod
_LARGEST = "1Gi"  # of what is prepared
_MAIN, _BEFORE = "script", "prepare"  # containers
_NODES_OWN = "169.254.0.0/16"  # where a node's own DNS cache answers
PREPARED = "/prepared"
_LINES = 2000
_SHOWN = 2000  # characters


@dataclass(frozen=True)
class Output:
    """How the program ended: its exit code, and the last lines of what it printed.

    Attributes:
        before: how the one that prepared ended, if there was one.
    """

    code: int
    text: str
    before: Output | None = None

    def json(self) -> dict[str, Any]:
        """The last line, which a program that exits with 0 whatever it finds prints as a JSON object.

        Raises:
            LabError: it ended otherwise; with the end of what it printed.
        """
        last = (self.text.strip().splitlines() or [""])[-1]  # a progress bar's line ends with \r
        try:
            found = json.loads(last) if self.code == 0 else None
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise LabError(
                f"the checker's own program ended with {self.code}",
                "see what is wrong: lab status",
                self.text[-_SHOWN:],
            )
        return found


@dataclass(frozen=True)
class Apart:
    """A pod for what is not ours: it reaches nobody and nobody reaches it.

    Attributes:
        prepare: the command of a program of the checker's that ends before the other begins, and gets what that needs,
            to `PREPARED`; none if it is empty.
        settings: environment variables of that program alone. The namespaces of the addresses in them are reached
            from the pod, and nothing else.
        hides: folders of the image in which the other program finds nothing.
    """

    prepare: Sequence[str] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    hides: Sequence[str] = ()


def run_script(
    kube: Kube,
    image: str,
    command: list[str],
    *,
    files: Mapping[str, str | bytes],
    env: Mapping[str, str],
    within: float,
    stop: threading.Event | None = None,
    apart: Apart | None = None,
) -> Output:
    """Run a command in a pod and return what it printed.

    Args:
        files: by name, mounted in /checker; a megabyte in all.
        env: environment variables.
        within: seconds, the pull of the image included.
        apart: keep the pod apart from all others.

    Raises:
        LabError: the pod could not run, or did not end in time.
    """
    name = f"script-{uuid.uuid4().hex[:8]}"
    made = objects(name, image, command, files, env, within, apart)
    try:
        kube.apply(made)

        def ended(pod: Object | None) -> bool | None:
            phase = (pod or {}).get("status", {}).get("phase")
            return True if pod is None or phase in ("Succeeded", "Failed") else None

        done, pod = kube.wait("Pod", name, SYSTEM_NAMESPACE, ended, within=within + 10, stop=stop)
        ends = [_end(pod, kind) for kind in ("initContainerStatuses", "containerStatuses")]
        before = (
            Output(ends[0], kube.logs(name, SYSTEM_NAMESPACE, _BEFORE, tail=_LINES)) if ends[0] is not None else None
        )
        if before and before.code:
            return replace(before, before=before)
        if not done or ends[1] is None:
            lines = evidence(kube, "Pod", name, SYSTEM_NAMESPACE)
            raise LabError(
                f"the checker's own pod did not end within {within:g} s: {pod_state(pod) if pod else 'it is gone'}",
                "see what is wrong with the cluster: lab status", "\n".join(lines),
            )  # fmt: skip
        return Output(ends[1], kube.logs(name, SYSTEM_NAMESPACE, _MAIN, tail=_LINES), before)
    finally:
        remove(kube, made)


def objects(
    name: str,
    image: str,
    command: list[str],
    files: Mapping[str, str | bytes],
    env: Mapping[str, str],
    within: float,
    apart: Apart | None = None,
) -> list[Object]:
    """The ConfigMap with the files and the pod that runs the command, for so many seconds at most.

    Of a pod that is kept apart also the NetworkPolicy, before it.
    """
    labels = {"app.kubernetes.io/name": "script", "app.kubernetes.io/managed-by": "mlops-lab", _NAME: name}
    meta = {"name": name, "namespace": SYSTEM_NAMESPACE, "labels": labels}
    binary = {
        key: base64.b64encode(value.encode() if isinstance(value, str) else value).decode()
        for key, value in files.items()
    }
    container: dict[str, Any] = {
        "name": _MAIN,
        "image": image,
        "command": command,
        "workingDir": "/tmp",
        "env": _variables(env),
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}},
        "volumeMounts": [{"name": "files", "mountPath": _FOLDER}, {"name": "scratch", "mountPath": "/tmp"}],
    }
    volumes: list[dict[str, Any]] = [
        {"name": "files", "configMap": {"name": name}},
        {"name": "scratch", "emptyDir": {}},
    ]
    made = [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "binaryData": binary}]
    first: list[dict[str, Any]] = []
    if apart:
        made.append(_policy(meta, apart))
        if apart.prepare:
            first.append(
                {**container, "name": _BEFORE, "command": list(apart.prepare), "env": _variables(apart.settings),
                 "volumeMounts": [
                     container["volumeMounts"][0], {"name": "scratch-before", "mountPath": "/tmp"},
                     {"name": "prepared", "mountPath": PREPARED},
                 ]}
            )  # fmt: skip
            volumes.append({"name": "prepared", "emptyDir": {"sizeLimit": _LARGEST}})
            volumes.append({"name": "scratch-before", "emptyDir": {}})  # what it leaves there is not for the other
            container["volumeMounts"].append({"name": "prepared", "mountPath": PREPARED, "readOnly": True})
        for number, folder in enumerate(apart.hides):
            volumes.append({"name": f"nothing-{number}", "emptyDir": {}})
            container["volumeMounts"].append({"name": f"nothing-{number}", "mountPath": folder, "readOnly": True})
    return [*made, restricted.pod(meta, container, volumes, seconds=int(within), before=first)]


def _variables(env: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": key, "value": value} for key, value in env.items()]


def _end(pod: Object | None, kind: str) -> int | None:
    """The exit code of a pod's first container of a kind; None if it has not ended."""
    states = ((pod or {}).get("status", {}).get(kind) or [{}])[0].get("state") or {}
    return int(states["terminated"]["exitCode"]) if "terminated" in states else None


def _policy(meta: Mapping[str, Any], apart: Apart) -> Object:
    """Nobody reaches the pod; it reaches the namespaces of the addresses that it prepares from, and DNS for these."""
    hosts = [urlsplit(value).hostname or "" for value in apart.settings.values() if value.startswith("http")]
    reached = sorted({host.split(".")[1] for host in hosts if "." in host}) if apart.prepare else []
    egress: list[dict[str, Any]] = []
    if reached:
        dns = [{"namespaceSelector": _named(["kube-system"])}, {"ipBlock": {"cidr": _NODES_OWN}}]
        ports = [{"port": 53, "protocol": protocol} for protocol in ("UDP", "TCP")]
        egress = [{"to": [{"namespaceSelector": _named(reached)}]}, {"to": dns, "ports": ports}]
    spec = {
        "podSelector": {"matchLabels": {_NAME: meta["name"]}}, "policyTypes": ["Ingress", "Egress"],
        "ingress": [], "egress": egress,
    }  # fmt: skip
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": dict(meta), "spec": spec}


def _named(namespaces: Sequence[str]) -> dict[str, Any]:
    wanted = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": list(namespaces)}
    return {"matchExpressions": [wanted]}
