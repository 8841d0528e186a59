"""Programs that are started and ended, with what they have started themselves; and programs that are not ours."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from mlops_lab.base import processes, untrusted
from mlops_lab.base.errors import LabError

DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"


def runs(process: int) -> bool:
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True, check=False)
    return state.stdout.strip()[:1] not in ("", "Z")


def gone(process: int) -> bool:
    end = time.monotonic() + 5
    while runs(process):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def begun(child: subprocess.Popen[bytes]) -> int:
    """The number that a program prints first."""
    assert child.stdout
    return int(child.stdout.readline())


def test_a_program_is_ended_with_what_it_has_started() -> None:
    with processes.ended(processes.start(["sh", "-c", "sleep 60 & echo $!; wait"], stdout=subprocess.PIPE)) as child:
        other = begun(child)
        assert runs(other)
    assert child.returncode == -signal.SIGTERM
    assert gone(other)


def test_a_program_that_nobody_can_write_to_is_ended_in_time_or_when_told() -> None:
    child = processes.start(["sleep", "60"], stdin=subprocess.PIPE)
    assert child.stdin
    with pytest.raises(processes.TimedOut, match=r"sleep 60 did not end within 0\.3 s"), processes.bounded(child, 0.3):
        try:
            child.stdin.write(bytes(1 << 20))
        except BrokenPipeError:
            child.wait()
    stop = threading.Event()
    stop.set()
    child = processes.start(["sleep", "60"])
    with processes.bounded(child, 60, stop):
        assert child.wait() == -signal.SIGTERM


def test_a_program_that_does_not_hear_is_killed() -> None:
    child = processes.start([sys.executable, "-c", DEAF], stdout=subprocess.PIPE)
    assert child.stdout and child.stdout.readline() == b"deaf\n"
    processes.end(child, within=0.2)
    assert child.returncode == -signal.SIGKILL


def test_a_program_may_be_asked_in_its_own_way_and_gets_time() -> None:
    code = "import signal, time; signal.signal(signal.SIGINT, lambda *_: exit(7)); print(1, flush=True); time.sleep(60)"
    child = processes.start([sys.executable, "-c", code], stdout=subprocess.PIPE)
    begun(child)
    processes.end(child, by=signal.SIGINT)
    assert child.returncode == 7
    processes.end(child)  # twice is harmless


def test_one_in_this_processs_own_session_is_ended_alone() -> None:
    child = processes.start(["sleep", "60"], session=False)
    assert os.getpgid(child.pid) == os.getpgid(0)
    processes.end(child)
    assert child.returncode == -signal.SIGTERM


def test_survivors_of_a_program_that_has_ended_go_if_they_are_to() -> None:
    child = processes.start(["sh", "-c", "sleep 60 & echo $!"], stdout=subprocess.PIPE)
    other = begun(child)
    child.wait(5)
    processes.end(child)
    assert runs(other)
    processes.end(child, survivors=True)
    assert gone(other)


def test_a_program_that_is_not_there_says_what_to_install() -> None:
    with pytest.raises(LabError, match="no-such-program is not installed"):
        processes.start(["no-such-program"])


def test_a_program_that_may_not_run_says_why(tmp_path: Path) -> None:
    (tmp_path / "kind").write_text("#!/bin/sh\n")
    with pytest.raises(LabError, match=f"{tmp_path}/kind can't be run: Permission denied") as error:
        processes.run([tmp_path / "kind"], within=20)
    assert "noexec" in error.value.hint


def test_output_goes_to_a_file_and_input_comes_from_one(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"b\na\n")
    with (tmp_path / "in").open("rb") as source, (tmp_path / "out").open("wb") as target:
        done = processes.run(["sort"], stdin=source, stdout=target, within=20)
    assert (tmp_path / "out").read_bytes() == b"a\nb\n"
    assert done.stdout == ""


def test_a_limit_that_runs_out_is_an_error_of_its_own() -> None:
    with pytest.raises(processes.TimedOut):
        processes.run(["sleep", "60"], within=0.1)
    with pytest.raises(LabError, match="exit code 1") as caught:
        processes.run(["false"], within=20)
    assert not isinstance(caught.value, processes.TimedOut)


def test_of_a_program_that_is_not_ours_nothing_is_left(tmp_path: Path) -> None:
    done = asyncio.run(untrusted.run(["sh", "-c", "sleep 60 & echo $!; exit 3"], within=10, cwd=tmp_path))
    assert done.code == 3 and done.seconds < 5
    assert gone(int(done.output))


def test_a_program_that_is_not_ours_has_its_time_and_no_more() -> None:
    done = asyncio.run(untrusted.run(["sh", "-c", "echo begun; sleep 60 | cat"], within=0.5))
    assert (done.code, done.output) == (None, "begun\n") and done.seconds < 5


def test_of_much_output_the_end_is_kept() -> None:
    done = asyncio.run(untrusted.run([sys.executable, "-c", "print('x' * 99999); print('end')"], within=20))
    assert len(done.output) == 64 << 10 and done.output.endswith("x\nend\n")


def test_a_program_that_is_not_ours_and_not_there() -> None:
    with pytest.raises(OSError):
        asyncio.run(untrusted.run(["no-such-program"], within=1))
