"""The third place without a cluster: each "pod" is a folder, and what runs in it a process of this machine."""

from __future__ import annotations

import base64
import os
import select
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlops_lab.kube.client import Object
from mlops_lab.kube.errors import NotFound
from mlops_lab.kube.execs import ExecStream

# As in a pod: root's own rights would open what is closed to the programs there.
_WITHOUT_RIGHTS = ("setpriv", "--bounding-set", "-all") if os.getuid() == 0 else ()
_START = "import sys, runpy; from pathlib import Path; runpy.run_path(sys.argv[1])['main'](Path(sys.argv[2]))"


class Socket:
    """What `ExecStream` reads: the pipes of a process."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process, self._data, self._ended = process, b"", False

    def write_stdin(self, text: str) -> None:
        assert self.process.stdin
        try:
            self.process.stdin.write(text.encode())
            self.process.stdin.flush()
        except BrokenPipeError:
            pass

    def update(self, timeout: float) -> None:
        assert self.process.stdout
        number = self.process.stdout.fileno()
        if select.select([number], [], [], timeout)[0]:
            data = os.read(number, 65536)
            self._data, self._ended = self._data + data, not data

    def peek_stdout(self, timeout: float) -> bytes:
        return self._data

    def read_stdout(self, timeout: float) -> bytes:
        data, self._data = self._data, b""
        return data

    def peek_stderr(self, timeout: float) -> bytes:
        return b""

    def is_open(self) -> bool:
        return not self._ended

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


class Pods:
    """As much of `Kube` as the third place asks for.

    Args:
        folder: has a folder for each pod.
    """

    timeout = 10.0

    def __init__(self, folder: Path) -> None:
        self.folder, self.made, self.deleted = folder, list[Object](), list[tuple[str, str]]()
        self.ended: Object = {}  # what the pod's status says once a program was run
        self.begins = "Running"
        self.gone = False
        self.alone = "alone"  # what is said of the network before a program begins

    def apply(self, objects: Sequence[Object]) -> None:
        self.made += objects

    def wait(self, kind: str, name: str, namespace: str, condition: Any, **_: Any) -> tuple[Any, Object]:
        pod = self.pod(self.begins)
        return condition(pod), pod

    def get(self, kind: str, name: str, namespace: str) -> Object:
        if self.gone:
            raise NotFound("gone", "")
        return self.pod("Running") | ({"status": self.ended} if self.ended else {})

    def pod(self, phase: str) -> Object:
        return {"kind": "Pod", "metadata": {"name": "program"}, "status": {"phase": phase}}

    def exec(self, name: str, namespace: str, command: Sequence[str]) -> ExecStream:
        if command[2:] == ["alone"]:
            said = subprocess.Popen(["echo", self.alone], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            return ExecStream(Socket(said), "python3 in pod")
        assert command == ["python3", "/checker/inside.py"]
        source = next(each for each in self.made if each["kind"] == "ConfigMap" and each["metadata"]["name"] == name)
        place = self.folder / name
        place.mkdir()
        inside = place / "inside.py"
        inside.write_bytes(base64.b64decode(source["binaryData"]["inside.py"]))
        (place / "pod").mkdir()
        process = subprocess.Popen(
            [*_WITHOUT_RIGHTS, sys.executable, "-c", _START, str(inside), str(place / "pod")], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True,
            env={"PATH": os.environ["PATH"], "POD": "of the pod"},
        )  # fmt: skip
        return ExecStream(Socket(process), "python3 in pod")

    def delete(self, kind: str, name: str, namespace: str, grace: int | None = None) -> None:
        self.deleted.append((kind, name))

    def list(self, kind: str, namespace: str | None = None, selector: str = "", **_: Any) -> list[Object]:
        return []

    def find(self, kind: str, name: str, namespace: str | None = None, **_: Any) -> Object | None:
        return None

    def events(self, *_: Any, **__: Any) -> list[Object]:
        return []
