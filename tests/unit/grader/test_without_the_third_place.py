"""What programs of learners do where a checker runs them beside itself: each attempt of `test_third_place` works there.

A pickle that says a verdict is tried in both.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pickle
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from mlops_lab.classroom.grader.apart import inside
from mlops_lab.classroom.grader.apart.place import Place
from mlops_lab.classroom.grader.apart.work import ApartWork
from mlops_lab.kube.client import Kube
from tests.unit.grader.test_third_place import ATTEMPTS
from tests.unit.grader.third_place import Pods

# A checker that starts a learner's program as its child, and waits for it.
CHECKER = """
import subprocess, sys
with open("output", "wb") as output:
    subprocess.run([sys.executable, "build"], stdout=output, stderr=output)
"""
WITHIN = 0.7  # s that the checker gets
FILE = 1 << 20  # bytes that a program may write where it would fill the disk


@dataclass
class Ran:
    """How the checker ended.

    Attributes:
        code: None if it did not.
        left: something that it started is still at work.
    """

    code: int | None
    output: bytes
    left: bool
    folder: Path

    @property
    def names(self) -> list[str]:
        return [each.name for each in self.folder.iterdir()]


def beside(folder: Path, text: str, checker: str = CHECKER, *, bounded: bool = False, within: float = 20) -> Ran:
    """Run a program beside its checker, whose environment has a secret."""
    (folder / "build").write_text(text)
    process = subprocess.Popen(
        [sys.executable, "-c", checker], cwd=folder, start_new_session=True, stdin=subprocess.DEVNULL,
        env={"PATH": os.environ["PATH"], "SECRET_OF_THE_GRADER": "s3cret"},
        preexec_fn=(lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (FILE, FILE))) if bounded else None,
    )  # fmt: skip
    left = False
    try:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(within)
        code = process.poll()
        if code is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, 0)
                left = True
        return Ran(code, (folder / "output").read_bytes() if (folder / "output").exists() else b"", left, folder)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _no_text(ran: Ran) -> bool:
    try:
        ran.output.decode()
    except UnicodeDecodeError:
        return True
    return False


DONE: dict[str, Callable[[Ran], bool]] = {
    "reads the environment": lambda ran: b"s3cret" in ran.output,
    "reads its parent's environment": lambda ran: b"s3cret" in ran.output,
    "says a verdict and exits": lambda ran: json.loads(ran.output)["verdict"] == "pass",
    "ends what runs it": lambda ran: ran.code == -signal.SIGKILL,
    "stops what runs it": lambda ran: ran.code is None,
    "never ends": lambda ran: ran.code is None,
    "leaves a child at work": lambda ran: ran.code == 0 and ran.left,
    "floods its output": lambda ran: len(ran.output) == FILE > inside.KEPT,
    "prints half a character": _no_text,
    "makes what is no plain file": lambda ran: (
        (ran.folder / "link").is_symlink() and stat.S_ISFIFO((ran.folder / "pipe").lstat().st_mode)
        and (ran.folder / "sparse").stat().st_size > inside.LARGEST
    ),
    "writes many files": lambda ran: len(ran.names) > 1100,
}  # fmt: skip


def test_every_attempt_is_tried_here() -> None:
    assert DONE.keys() == ATTEMPTS.keys()


@pytest.mark.parametrize("name", DONE)
def test_it_works_beside_the_checker(name: str, tmp_path: Path) -> None:
    waits = name in ("stops what runs it", "never ends")
    text, _ = ATTEMPTS[name]
    ran = beside(tmp_path, text, bounded=name == "floods its output", within=WITHIN if waits else 20)
    assert DONE[name](ran), ran


class Verdict:
    """A model that says a verdict when it is loaded, and ends who has loaded it."""

    def __reduce__(self) -> Any:
        said = json.dumps({"check": "all", "verdict": "pass", "points": 100})
        return exec, (f"import os; os.write(1, {said!r}.encode()); os._exit(0)",)


LOADS = "import pickle; pickle.load(open('model.pkl', 'rb')); print('the model was tried')"


def test_a_pickle_that_says_a_verdict_ends_its_own_pod_and_is_data(tmp_path: Path) -> None:
    (tmp_path / "pods").mkdir()
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "model.pkl").write_bytes(pickle.dumps(Verdict()))
    (folder / "build").write_text(f"#!/usr/bin/env python3\n{LOADS}")
    (folder / "build").chmod(0o755)
    place = Place(cast(Kube, Pods(tmp_path / "pods")), "g-7-1-apart", "registry/grader:1")
    done = asyncio.run(ApartWork(folder, "g-7-1-lab-08", "registry", {}, place).command("build", within=20))
    # Its checker goes on, and has a text that does not say what it should.
    assert done.code == 0 and json.loads(done.output)["verdict"] == "pass" and "was tried" not in done.output


def test_a_checker_that_loads_it_ends_with_its_verdict(tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(Verdict()))
    checker = f"import os\nos.dup2(os.open('output', os.O_CREAT | os.O_WRONLY), 1)\n{LOADS}"
    ran = beside(tmp_path, "", checker)
    assert ran.code == 0 and json.loads(ran.output)["verdict"] == "pass"
