"""The pods that the server makes: one driver for each run, one pod for each attempt of a task.

All meet restricted Pod Security. A task's image may be any: a small static program (images/pipelines/launcher) is
copied in by an init container and runs the task's command between fetching its inputs and storing its outputs.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from embedded import kubernetes_settings
from embedded.settings import Settings

OURS = "app.kubernetes.io/managed-by=mlops-lab-pipelines"
RUN, TASK, ATTEMPT = "pipelines.mlops-lab/run", "pipelines.mlops-lab/task", "pipelines.mlops-lab/attempt"
_LAUNCHER = "/launcher"


def driver_name(run: str, generation: int) -> str:
    """The name of a driver's pod, as older servers made it, whose runs may be at work.

    Args:
        run: the run's id.
    """
    return f"run-{run[:8]}-driver-b4def8-{generation}"


def pod_name(run: str, path: str, round_: int, number: int) -> str:
    """The name of an attempt's pod, the same each time, so that nothing is ever started twice.

    Args:
        run: the run's id.
        path: the task's.
        number: the attempt's in its round.
    """
    slug = re.sub(r"[^a-z0-9]+", "-", path.rpartition("/")[2].lower()).strip("-")[:24].strip("-") or "task"
    # A run may have ten thousand steps of one name, in a loop of loops: of 24 bits some would be the same.
    mark = hashlib.sha256(f"{run}/{path}".encode()).hexdigest()[:16]
    return f"run-{run[:8]}-{slug}-{mark}-{round_}-{number}"


def same(pod: dict[str, Any], labels: dict[str, str]) -> bool:
    """Is a pod that has the name of this one the same driver or attempt, by its labels?"""
    own = pod["metadata"]["labels"]
    return all(own.get(key) == labels.get(key) for key in (RUN, ATTEMPT))


def driver(settings: Settings, run: str, generation: int, token: str) -> dict[str, Any]:
    """The pod that walks one run's pipeline."""
    container = {
        "name": "main",
        "image": settings.image,
        "imagePullPolicy": "Always",  # a driver of an older server would not fit the newer one
        "command": ["python3", "-m", "embedded.driver"],
        "env": [
            {"name": "DRIVER_URL", "value": settings.url},
            {"name": "DRIVER_TOKEN", "value": token},
            {"name": "HOME", "value": "/tmp"},
        ],
        "resources": {"requests": settings.driver_requests, "limits": settings.driver_limits},
        "volumeMounts": [{"name": "own-tmp", "mountPath": "/tmp"}],
        "securityContext": {**_confined(), "readOnlyRootFilesystem": True},
    }
    pod = _pod(settings, driver_name(run, generation), run, container)
    pod["metadata"]["labels"]["app.kubernetes.io/component"] = "driver"
    pod["spec"]["volumes"] = [{"name": "own-tmp", "emptyDir": {}}]
    return pod


def task(settings: Settings, run: str, account: str, attempt: dict[str, Any], token: str) -> dict[str, Any]:
    """The pod of one attempt.

    Args:
        attempt: its row; `wanted` says what the driver asked for (see embedded.driver.tasks).
        token: lets the launcher fetch artifacts and store this task's results.
    """
    wanted = json.loads(attempt["wanted"])
    launch = {
        "server": settings.url,
        "token": token,
        "prefix": settings.artifacts,
        **{key: wanted[key] for key in ("inputs", "outputs", "parameters", "output_file")},
    }
    container: dict[str, Any] = {
        "name": "main",
        "image": wanted["image"],
        "command": [f"{_LAUNCHER}/launch", "--", *map(_literal, wanted["command"])],
        "env": [
            # An image may leave HOME at a folder of root's.
            {"name": "HOME", "value": "/tmp"},
            *({"name": name, "value": _literal(value)} for name, value in wanted["env"].items()),
            {"name": "KFP_RUN_ID", "value": run},
            {"name": "KFP_POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "LAUNCH", "value": _literal(json.dumps(launch))},
        ],
        "resources": resources(settings, wanted["resources"]),
        "volumeMounts": [
            {"name": "own-launcher", "mountPath": _LAUNCHER, "readOnly": True},
            {"name": "own-tmp", "mountPath": "/tmp"},
            {"name": "own-artifacts", "mountPath": "/minio"},
        ],
        "securityContext": _confined(),
    }
    pod = _pod(settings, attempt["pod"], run, container, account)
    pod["metadata"]["labels"] |= {
        "app.kubernetes.io/component": "task",
        TASK: attempt["task"],
        ATTEMPT: attempt["id"],
    }
    # A step may talk to the cluster, with just what somebody granted its service account; a driver never does.
    pod["spec"] |= {
        "automountServiceAccountToken": True,
        "volumes": [{"name": name, "emptyDir": {}} for name in ("own-launcher", "own-tmp", "own-artifacts")],
        "initContainers": [
            {
                "name": "launcher",
                "image": settings.launcher_image,
                "imagePullPolicy": "Always",
                "command": ["/launch", "--copy", f"{_LAUNCHER}/launch"],
                "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"cpu": "1", "memory": "64Mi"}},
                "volumeMounts": [{"name": "own-launcher", "mountPath": _LAUNCHER}],
                "securityContext": {**_confined(), "readOnlyRootFilesystem": True},
            }
        ],
    }
    kubernetes_settings.apply(wanted["kubernetes"], pod, container)
    return pod


def resources(settings: Settings, asked: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """A container's resources: what was asked for, and the defaults where nothing was.

    A default never contradicts what was asked: a request alone lifts the default limit, a limit alone the request.
    """
    requests, limits = dict(asked.get("requests", {})), dict(asked.get("limits", {}))
    for name, default in settings.limits.items():
        if name not in limits:
            limits[name] = max(default, requests.get(name, default), key=_amount)
    for name, default in settings.requests.items():
        if name not in requests:
            requests[name] = min(default, limits.get(name, default), key=_amount)
    return {"requests": requests, "limits": limits}


def _pod(settings: Settings, name: str, run: str, container: dict[str, Any], account: str = "") -> dict[str, Any]:
    key, _, value = OURS.partition("=")
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "labels": {key: value, "app.kubernetes.io/part-of": "mlops-lab", RUN: run},
        },
        "spec": {
            "restartPolicy": "Never",
            "serviceAccountName": account or settings.service_account,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": settings.kill_grace,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": settings.run_as,
                "runAsGroup": settings.run_as,
                "fsGroup": settings.run_as,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [container],
        },
    }


def _literal(text: str) -> str:
    """Text that Kubernetes passes on as it is: in commands and variables it takes $$ for $, and fills in $(NAME)."""
    return text.replace("$", "$$")


def _confined() -> dict[str, Any]:
    return {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


_UNITS = {"m": 1e-3, "": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


def _amount(text: str) -> float:
    found = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", text)
    return float(found[1]) * _UNITS.get(found[2], 1) if found else 0.0
