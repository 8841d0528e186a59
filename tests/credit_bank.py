"""Lab 27's services as processes on this machine, and a `Lab` in which the checker finds one of them.

What needs a cluster is played: a pod is a process, its volume a folder, its log a file, a forced deletion a kill, and a
copy of the pod another process with other files.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import yaml

from mlops_lab.base.paths import project
from mlops_lab.checks import Observation
from mlops_lab.checks.rooms.objects import Printed
from mlops_lab.kit.given import in_manifests
from mlops_lab.labs.variants import Variant, lay_out
from mlops_lab.measure.traffic.http import Answer, encoded
from tests.lab_programs import loaded
from tests.made_up import NothingThere, NoTraffic, made_up_lab

LAB = project() / "labs" / "27-explain-and-audit"


class Process:
    """A learner's program, with the pod's folders and port replaced by ones that are here.

    Its files say where those are from their own place, so that the same program has the same files in each process.

    Args:
        variant: whose program it is.
        folder: in which program, volume and log have their places.
        comment: at the end of a file.
        longer: the name of that file.
    """

    def __init__(self, variant: Variant, folder: Path, comment: str = "", longer: str = "") -> None:
        self.program, self.kept, self.log = folder / "program", folder / "data", folder / "log"
        lay_out(variant, self.program)
        self.kept.mkdir()
        staff = in_manifests(LAB / "start", "Secret", "staff")["stringData"]["staff.json"]
        (folder / "staff.json").write_text(staff)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        for file in self.program.glob("*.py"):
            text = file.read_text()
            for old, new in (
                ('"/data', '"../data'), ('"/staff/staff.json"', '"../staff.json"'),
                ('(("", 8080)', '(("127.0.0.1", int(__import__("os").environ["PORT"]))'),
            ):  # fmt: skip
                text = text.replace(old, new)
            file.write_text(text + comment * (file.name == longer))
        self.spec: Any = manifest(self.program)["spec"]["template"]["spec"]
        words = {"python3": sys.executable, "0.0.0.0": "127.0.0.1", "8080": str(self.port)}
        self.command = [words.get(each, each) for each in self.spec["containers"][0]["command"]]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        out = self.log.open("wb")
        env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "OPENBLAS_NUM_THREADS": "1", "PORT": str(self.port)}
        self.process = running = subprocess.Popen(self.command, cwd=self.program, stdout=out, stderr=out, env=env)
        end = time.monotonic() + 60
        while ask(self.port, "GET", "/trail/head", "", {}).status == 0:
            if time.monotonic() > end or running.poll() is not None:
                raise AssertionError(self.log.read_text()[-2000:])
            time.sleep(0.05)

    def kill(self) -> None:
        """As a node that fails does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()


def manifest(program: Path) -> Any:
    """The Deployment among a variant's files."""
    return next(
        each for each in yaml.safe_load_all((program / "credit.yaml").read_text()) if each["kind"] == "Deployment"
    )


def ask(port: int, method: str, path: str, body: str, headers: dict[str, str]) -> Answer:
    """One request; status 0 where none answers."""
    began = time.monotonic()
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request(method, path, body.encode(), {"Content-Type": "application/json", **headers})
        with contextlib.closing(connection), connection.getresponse() as got:
            return Answer(got.status, dict(got.headers), got.read(64 << 10), time.monotonic() - began, "", path)
    except (OSError, http.client.HTTPException) as wrong:
        return Answer(0, {}, b"", time.monotonic() - began, str(wrong), path)


@contextlib.contextmanager
def bank(variant: Variant, folder: Path, *, mistake: str = "") -> Iterator[tuple[Any, Any]]:
    """The checker, and a lab in which a variant's program answers for Service `credit`."""
    process, checker = Process(variant, folder / "credit"), loaded("27")
    processes, files = {"credit": process}, {each.name: each.read_text() for each in process.program.glob("*.py")}
    stays = any("persistentVolumeClaim" in each for each in process.spec["volumes"])

    async def request(method: str, service: str, path: str, body: Any = None, **more: Any) -> Answer:
        return await asyncio.to_thread(
            ask, processes[service].port, method, path, encoded(body), more.get("headers") or {}
        )

    async def get(service: str, path: str, **more: Any) -> Answer:
        return await request("GET", service, path)

    async def first_answer(look: Any, *given: Any, **more: Any) -> Answer:
        answer: Answer = await look()
        return answer

    async def kill(pod: str, grace: int | None = None) -> None:
        process.kill()
        if not stays:
            shutil.rmtree(process.kept)
            process.kept.mkdir()
        process.start()

    async def logs(*given: Any, **more: Any) -> str:
        return process.log.read_text()

    async def printed(lab: Any, pod: Any, *command: str, **more: Any) -> Printed:
        words = [sys.executable, *command[1:4], str(process.kept)]
        done = await asyncio.to_thread(subprocess.run, words, capture_output=True, text=True, check=True)
        return Printed(0, done.stdout.splitlines(), "")

    async def pods(*given: Any, **more: Any) -> list[Any]:
        return [{"metadata": {"name": "credit-1"}, "spec": process.spec, "status": {"phase": "Running"}}]

    async def fine(*given: Any, **more: Any) -> Observation:
        return Observation(True, "ready", "ready")

    async def no_events(*given: Any) -> list[str]:
        return []

    @contextlib.asynccontextmanager
    async def released(lab: Any, name: str, changed: Any = None) -> AsyncIterator[Any]:
        place = folder / name
        shutil.rmtree(place, ignore_errors=True)
        processes[name] = Process(variant, place, checker.COMMENT, changed.name if changed else "")
        await asyncio.to_thread(processes[name].start)
        try:
            yield checker.Credit(lab, name)
        finally:
            processes[name].kill()

    async def mounted(*given: Any) -> Any:
        return {"app": {"data": files}}

    for name, instead in (
        ("exists", fine), ("must_answer", fine), ("rolled_out", fine), ("owned_pods", pods), ("printed", printed),
        ("released", released), ("mounted", mounted),
    ):  # fmt: skip
        setattr(checker, name, instead)
    lab = made_up_lab(
        "27", mistake=mistake, objects=NothingThere(kill=kill, logs=logs, recent_events=no_events),
        traffic=NoTraffic(request=request, get=get, first_answer=first_answer),
    )  # fmt: skip
    try:
        process.start()
        yield checker, lab
    finally:
        for each in processes.values():
            each.kill()
