"""A program of the checker's in a pod of its own: for what needs Python packages that this process does not have.

It runs in the tool's namespace with restricted rights, no credentials of the cluster, and a limit on its time; its pod
and files are gone afterwards.
"""

from __future__ import annotations

import base64
import json
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlops_lab.base.errors import LabError
from mlops_lab.kube.client import Kube, Object
from mlops_lab.measure.cluster.environment import SYSTEM_NAMESPACE
from mlops_lab.measure.pods import restricted
from mlops_lab.measure.pods.evidence import evidence, pod_state

_FOLDER = "/checker"
_LINES = 2000
_SHOWN = 2000  # characters


@dataclass(frozen=True)
class Output:
    """How the program ended: its exit code, and the last lines of what it printed."""

    code: int
    text: str

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
            raise LabError(f"the checker's own program ended with {self.code}", "see lab status", self.text[-_SHOWN:])
        return found


def run_script(
    kube: Kube,
    image: str,
    command: list[str],
    *,
    files: Mapping[str, str | bytes],
    env: Mapping[str, str],
    within: float,
    stop: threading.Event | None = None,
) -> Output:
    """Run a command in a pod and return what it printed.

    Args:
        files: by name, mounted in /checker; a megabyte in all.
        env: environment variables.
        within: seconds, the pull of the image included.

    Raises:
        LabError: the pod could not run, or did not end in time.
    """
    name = f"script-{uuid.uuid4().hex[:8]}"
    kube.apply(objects(name, image, command, files, env, within))
    try:

        def ended(pod: Object | None) -> bool | None:
            phase = (pod or {}).get("status", {}).get("phase")
            return True if pod is None or phase in ("Succeeded", "Failed") else None

        done, pod = kube.wait("Pod", name, SYSTEM_NAMESPACE, ended, within=within + 10, stop=stop)
        states = ((pod or {}).get("status", {}).get("containerStatuses") or [{}])[0].get("state") or {}
        if not done or "terminated" not in states:
            lines = evidence(kube, "Pod", name, SYSTEM_NAMESPACE)
            raise LabError(
                f"the checker's own pod did not end within {within:g} s: {pod_state(pod) if pod else 'it is gone'}",
                "see how the cluster is: lab status", "\n".join(lines),
            )  # fmt: skip
        return Output(int(states["terminated"]["exitCode"]), kube.logs(name, SYSTEM_NAMESPACE, tail=_LINES))
    finally:
        kube.delete("Pod", name, SYSTEM_NAMESPACE, grace=0)
        kube.delete("ConfigMap", name, SYSTEM_NAMESPACE)


def objects(
    name: str, image: str, command: list[str], files: Mapping[str, str | bytes], env: Mapping[str, str], within: float
) -> list[Object]:
    """The ConfigMap with the files and the pod that runs the command, for so many seconds at most."""
    labels = {"app.kubernetes.io/name": "script", "app.kubernetes.io/managed-by": "mlops-lab"}
    meta = {"name": name, "namespace": SYSTEM_NAMESPACE, "labels": labels}
    binary = {
        key: base64.b64encode(value.encode() if isinstance(value, str) else value).decode()
        for key, value in files.items()
    }
    container: dict[str, Any] = {
        "name": "script",
        "image": image,
        "command": command,
        "workingDir": "/tmp",
        "env": [{"name": key, "value": value} for key, value in env.items()],
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}},
        "volumeMounts": [{"name": "files", "mountPath": _FOLDER}, {"name": "scratch", "mountPath": "/tmp"}],
    }
    volumes = [{"name": "files", "configMap": {"name": name}}, {"name": "scratch", "emptyDir": {}}]
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "binaryData": binary},
        restricted.pod(meta, container, volumes, seconds=int(within)),
    ]
