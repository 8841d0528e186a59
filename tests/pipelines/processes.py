"""Stands in for the cluster below the engine's server: pods are processes of this machine.

Loaded by the server in place of embedded.cluster (setting PIPELINES_PODS), so it keeps to the server's environment. A
pod is a folder with its manifest, output and exit code: like a cluster's, it outlives the server. What a cluster would
do with an image it can't pull or a pod over the quota is told by the manifest alone.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from embedded.manifests import OURS, same
from embedded.mounts import FOR_RUNS
from embedded.pods import Refused, Seen, Unreachable
from embedded.settings import Settings

MISSING_IMAGE = "localhost:5001/no-such-image:1"
QUOTA_CPU = 64
# Secrets by their labels; all others are open to runs.
SECRETS: dict[str, dict[str, str] | None] = {"platforms": {"owner": "helm"}, "missing": None}


class Processes:
    """See embedded.pods.Pods."""

    def __init__(self, settings: Settings) -> None:
        self._root = settings.data / "pods"
        self._root.mkdir(parents=True, exist_ok=True)
        self._children: list[subprocess.Popen[bytes]] = []

    def create(self, manifest: dict[str, Any]) -> None:
        self._answer(f"create {manifest['metadata']['name']}")
        name, container = manifest["metadata"]["name"], manifest["spec"]["containers"][0]
        key, _, value = OURS.partition("=")
        assert manifest["metadata"]["labels"][key] == value
        cpu = container["resources"]["requests"]["cpu"]
        if not cpu.endswith("m") and float(cpu) > QUOTA_CPU:
            raise Refused(
                f'pods "{name}" is forbidden: exceeded quota: pipelines, requested: requests.cpu={cpu}, '
                f"used: requests.cpu=0, limited: requests.cpu={QUOTA_CPU}",
                final=False,
            )
        folder = self._root / name
        if folder.exists():
            if not same(manifest, json.loads((folder / "manifest.json").read_text())["metadata"]["labels"]):
                raise Refused(f"the name {name} is that of another pod", final=False)
            return
        folder.mkdir()
        (folder / "manifest.json").write_text(json.dumps(manifest))
        (folder / "created").write_text(datetime.now(UTC).isoformat())
        with (self._root / "starts").open("a") as starts:
            starts.write(name + "\n")
        if container["image"] == MISSING_IMAGE:
            (self._root / "events").mkdir(exist_ok=True)  # a cluster's stay when the pod goes
            (self._root / "events" / name).write_text(f'Failed: Failed to pull image "{MISSING_IMAGE}": not found')
            return
        assert all("$" not in word.replace("$$", "") for word in container["command"]), "Kubernetes would fill it in"
        command = [word.replace("$$", "$") for word in container["command"]]
        command = [os.environ["LAUNCHER"] if word == "/launcher/launch" else word for word in command]
        command = [sys.executable if word == "python3" and not number else word for number, word in enumerate(command)]
        environment = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": os.environ["PYTHONPATH"],
            "TMPDIR": str(folder),
            **{each["name"]: _value(name, each) for each in container["env"]},
        }
        with (folder / "log").open("wb") as log:
            child = subprocess.Popen(
                ["sh", "-c", '"$@"; echo $? >"$0/rc.part"; mv "$0/rc.part" "$0/rc"', str(folder), *command],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment, start_new_session=True, cwd=folder,
            )  # fmt: skip
        (folder / "pid").write_text(str(child.pid))
        self._children.append(child)
        late = self._root / "late"
        if late.exists() and re.fullmatch(late.read_text(), name):  # the cluster's answer comes when the pod is over
            child.wait(30)

    def seen(self) -> dict[str, Seen]:
        self._answer("list")
        self._children = [child for child in self._children if child.poll() is None]
        return {folder.name: self._one(folder) for folder in self._root.iterdir() if (folder / "created").exists()}

    def secret(self, name: str) -> dict[str, str] | None:
        self._answer(f"secret {name}")
        return SECRETS.get(name, {FOR_RUNS: "true"})

    def delete(self, name: str, grace: int) -> None:
        self._answer(f"delete {name}")
        folder = self._root / name
        if pid := _alive(folder):
            os.killpg(pid, signal.SIGTERM if grace else signal.SIGKILL)
            end = time.monotonic() + grace
            while grace and _alive(folder) and time.monotonic() < end:
                time.sleep(0.05)
                for child in self._children:
                    child.poll()
            if _alive(folder):
                os.killpg(pid, signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)

    def log(self, name: str, lines: int) -> str:
        self._answer(f"log {name}")
        log = self._root / name / "log"
        return "\n".join(log.read_text().splitlines()[-lines:]) if log.exists() else ""

    def events(self, name: str) -> list[str]:
        told = self._root / "events" / name
        return [told.read_text()] if told.exists() else []

    def _answer(self, call: str) -> None:
        """Fail as a cluster does that does not answer a call: one that matches the expression in the file `away`."""
        away = self._root / "away"
        if away.exists() and re.fullmatch(away.read_text(), call):
            raise Unreachable(f"the API server does not answer: {call}")

    def _one(self, folder: Path) -> Seen:
        labels = json.loads((folder / "manifest.json").read_text())["metadata"]["labels"]
        about = {"name": folder.name, "labels": labels}
        rc = folder / "rc"
        if rc.exists():
            code = int(rc.read_text())
            return Seen(
                phase="Failed" if code else "Succeeded", exit_code=code, reason="Error" if code else "", **about
            )
        if not (folder / "pid").exists():
            return Seen(phase="Pending", reason="ErrImagePull", message="not found", **about)
        if _alive(folder):
            return Seen(phase="Running", **about)
        return Seen(phase="Failed", exit_code=137, reason="OOMKilled", **about)


def _alive(folder: Path) -> int:
    """The pod's process, if it runs (and does not just wait to be reaped)."""
    try:
        pid = int((folder / "pid").read_text())
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, ValueError):
        return 0
    return 0 if state == "Z" else pid


def _value(pod: str, variable: dict[str, Any]) -> str:
    if "value" in variable:
        return str(variable["value"]).replace("$$", "$")
    source = variable["valueFrom"]
    if "fieldRef" in source:
        return pod
    reference = source.get("secretKeyRef") or source["configMapKeyRef"]
    return f"{reference['name']}/{reference['key']}"
