"""The embedded engine as a process of this machine: the real server and drivers, and processes in place of pods."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import kfp

from mlops_lab.base.paths import project
from mlops_lab.images.recipes.golang import compiler
from tests.environments import environment

SOURCE = project() / "images" / "pipelines"
TESTS = Path(__file__).parent


def python() -> Path:
    """The Python of an environment with what the locks of the server's and steps' images say."""
    return environment("pipelines", *(each / "requirements.lock" for each in (SOURCE, SOURCE.parent / "kfp-python")))


def launcher(folder: Path) -> Path:
    """The launcher, compiled for this machine."""
    program = folder / "launch"
    command = [compiler(), "build", "-o", program, "."]
    done = subprocess.run(command, cwd=SOURCE / "launcher", capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return program


class Engine:
    """One server with its folder; it can be killed and started again.

    Args:
        settings: of the server, such as `pull_patience=1`.
    """

    def __init__(self, python: Path, launch: Path, folder: Path, **settings: Any) -> None:
        self._python, self.data = python, folder / "data"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        given = {
            "data": self.data, "host": "127.0.0.1", "port": self.port, "pods": "processes:Processes",
            "url": self.url, "artifacts": folder / "minio", "tick": 0.1, "kill_grace": 2, "quota_patience": 1,
            "pull_patience": 1, **settings,
        }  # fmt: skip
        self._environment = {
            **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            "PYTHONPATH": f"{SOURCE}:{TESTS}",
            "LAUNCHER": str(launch),
            **{f"PIPELINES_{key.upper()}": str(value) for key, value in given.items()},
        }
        self._log = folder / "server.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start the server and wait until it answers."""
        with self._log.open("ab") as log:
            command = [self._python, "-m", "embedded"]
            self.process = subprocess.Popen(command, env=self._environment, stdout=log, stderr=log)
        end = time.monotonic() + 30
        while True:
            try:
                if self.ask("/healthz")[0] == 200:
                    return
            except OSError:
                pass
            assert self.process.poll() is None and time.monotonic() < end, self._log.read_text()
            time.sleep(0.05)

    def kill(self) -> None:
        """End the server at once, as a node does that loses its power."""
        assert self.process
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> None:
        """End the server and whatever runs."""
        assert self.process
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)
        for pid in self.data.glob("pods/*/pid"):
            try:
                os.killpg(int(pid.read_text()), signal.SIGKILL)
            except (ProcessLookupError, FileNotFoundError):
                continue

    def said(self) -> str:
        """What the server printed."""
        return self._log.read_text()

    @property
    def client(self) -> kfp.Client:
        """The SDK's client, as users have it."""
        return kfp.Client(host=self.url)

    def ask(
        self, path: str, body: Any = None, method: str = "", token: str = "", kind: str = "application/json"
    ) -> tuple[int, Any]:
        """Status and body of one request; the body is read as JSON if it is."""
        request = urllib.request.Request(self.url + path, method=method or ("GET" if body is None else "POST"))
        if body is not None:
            request.data = body if isinstance(body, bytes) else json.dumps(body).encode()
            request.add_header("Content-Type", kind)
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            with urllib.request.urlopen(request, timeout=40) as answer:
                status, text, came = answer.status, answer.read().decode(), answer.headers.get_content_type()
        except urllib.error.HTTPError as error:
            status, text, came = error.code, error.read().decode(), error.headers.get_content_type()
        return status, json.loads(text) if came == "application/json" else text

    def api(self, path: str, body: Any = None, method: str = "") -> Any:
        """The body of a request to the API that has to succeed."""
        status, answer = self.ask(f"/apis/v2beta1/{path}", body, method)
        assert status == 200, answer
        return answer

    def tasks(self, run: str) -> dict[str, dict[str, Any]]:
        """A run's tasks by their paths."""
        return {each["path"]: each for each in self.api(f"runs/{run}")["run_details"].get("task_details", [])}

    def until(self, what: Any, within: float = 30) -> Any:
        """Call `what` until it yields something that is not false."""
        end = time.monotonic() + within
        while not (seen := what()):
            assert time.monotonic() < end, f"not within {within} s; the server said: {self._log.read_text()[-3000:]}"
            time.sleep(0.05)
        return seen

    def ended(self, run: str, within: float = 60) -> Any:
        """The run, once it has ended."""

        def probe() -> Any:
            seen = self.api(f"runs/{run}")
            return seen if seen["state"] in ("SUCCEEDED", "FAILED", "CANCELED") else None

        return self.until(probe, within)

    def pod(self, name: str) -> Path:
        """The folder of a pod."""
        return self.data / "pods" / name

    def kill_pod(self, name: str) -> None:
        """End a pod's processes, as the kernel does that runs out of memory."""
        os.killpg(int((self.pod(name) / "pid").read_text()), signal.SIGKILL)

    def drivers(self, run: str) -> list[str]:
        """The names of a run's driver pods that have started and are there, oldest first."""
        return sorted(pid.parent.name for pid in (self.data / "pods").glob(f"run-{run[:8]}-driver-*/pid"))

    @property
    def starts(self) -> list[str]:
        """The pods that were ever started, in order."""
        file = self.data / "pods" / "starts"
        return file.read_text().split() if file.exists() else []

    def sql(self, query: str, *args: Any) -> list[Any]:
        """Look into the server's database."""
        with sqlite3.connect(f"file:{self.data}/database/pipelines.db?mode=ro", uri=True) as db:
            return db.execute(query, args).fetchall()

    def change(self, query: str, *args: Any) -> None:
        """Change the server's database, as time or an older server might have."""
        with sqlite3.connect(self.data / "database" / "pipelines.db", timeout=10) as db:
            db.execute(query, args)
