"""Bounded waits, other programs, paths and pins."""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from mlops_lab.base import paths, processes, versions
from mlops_lab.base.errors import ExitCode, LabError, UsageError
from mlops_lab.base.locking import alone, at_once, terminable
from mlops_lab.base.waiting import wait_until


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("interrupt", [signal.default_int_handler, signal.SIG_IGN])
def test_a_command_that_is_told_to_stop_can_clear_up(number: int, interrupt: Any) -> None:
    before = signal.signal(signal.SIGINT, interrupt), signal.signal(number, signal.SIG_DFL)
    try:
        with pytest.raises(KeyboardInterrupt), terminable():
            signal.raise_signal(number)
        assert signal.getsignal(number) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGINT, before[0])
        signal.signal(number, before[1])


def test_a_second_signal_does_not_end_the_clearing_up() -> None:
    cleared, before = False, signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup has it ignored
    try:
        with contextlib.suppress(KeyboardInterrupt), terminable():
            try:
                signal.raise_signal(signal.SIGHUP)
            finally:
                signal.raise_signal(signal.SIGHUP)
                signal.raise_signal(signal.SIGTERM)
                cleared = True
    finally:
        signal.signal(signal.SIGHUP, before)
    assert cleared


def test_a_signal_that_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with terminable():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_wait_hands_on_what_it_waited_for() -> None:
    states = iter([(None, "1 of 2"), (7, "2 of 2")])
    assert wait_until(lambda: next(states), what="pods", within=1, hint="", every=0) == 7


def test_a_wait_that_runs_out_says_the_last_state_seen_and_what_to_do() -> None:
    with pytest.raises(LabError) as caught:
        wait_until(lambda: (None, "1 of 2"), what="pods", within=0.05, hint="lab status", every=0.01)
    assert caught.value.message == "pods: not within 0.05 s; last seen: 1 of 2"
    assert caught.value.hint == "lab status"


def test_a_program_that_fails_shows_its_command_and_output() -> None:
    with pytest.raises(LabError) as caught:
        processes.run([sys.executable, "-c", "print('half done'); raise SystemExit(3)"], within=20)
    assert "failed with exit code 3" in caught.value.message
    assert "half done" in caught.value.detail
    assert caught.value.detail.startswith(f"$ {sys.executable} -c")


def test_a_program_that_is_not_there_says_what_to_install() -> None:
    with pytest.raises(LabError, match="no-such-program is not installed") as caught:
        processes.run(["no-such-program"], within=1)
    assert caught.value.hint == "install no-such-program and try again"


def test_a_program_that_takes_too_long_is_ended() -> None:
    with pytest.raises(LabError, match=r"did not end within 0.2 s"):
        processes.run([sys.executable, "-c", "import time; time.sleep(30)"], within=0.2)


def test_output_that_goes_to_a_log_is_quoted_from_there(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "build.log"
    with pytest.raises(LabError) as caught:
        processes.run([sys.executable, "-c", "print('undefined: x'); exit(1)"], within=20, log=log)
    assert "undefined: x" in caught.value.detail
    assert str(log) in caught.value.detail
    assert "undefined: x" in log.read_text()


def test_an_exit_code_may_be_asked_for_instead_of_an_error() -> None:
    assert processes.run([sys.executable, "-c", "exit(4)"], within=20, check=False).code == 4


def test_what_a_stopped_program_had_begun_is_waited_for(tmp_path: Path) -> None:
    begun = [f"sleep 6; echo made > {tmp_path / 'late'}", "sleep 31; echo others are not waited for"]
    program = f"import subprocess, time; [subprocess.Popen(['sh', '-c', each]) for each in {begun}]; time.sleep(30)"
    began = time.monotonic()
    with pytest.raises(LabError, match="did not end within"):
        processes.run([sys.executable, "-c", program], within=4, log=tmp_path / "log", leaves="echo made")
    assert (tmp_path / "late").read_text() == "made\n"
    assert time.monotonic() - began < 25


def test_usage_errors_and_environment_errors_differ_in_exit_code() -> None:
    assert UsageError("a", "b").exit_code == ExitCode.USAGE == 2
    assert LabError("a", "b").exit_code == ExitCode.ENVIRONMENT == 3


def test_one_variable_moves_cache_and_records(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MLOPS_LAB_HOME", str(tmp_path))
    assert paths.cache() == tmp_path / "cache"
    assert paths.state() == tmp_path / "state"


def test_without_it_the_xdg_variables_count(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MLOPS_LAB_HOME", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "c"))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert paths.cache() == tmp_path / "c" / "mlops-lab"
    assert paths.state() == tmp_path / ".local/state/mlops-lab"


def test_a_workspace_leads_to_the_same_folder_from_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for given in ("~/My Labs", "My Labs", str(tmp_path / "My Labs")):
        monkeypatch.setenv("MLOPS_LAB_WORKSPACE", given)
        assert paths.workspace() == tmp_path / "My Labs"


def test_who_holds_a_lock_may_have_been_given_bytes_that_are_no_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["lab", "check", "caf\udce9 " + "é" * 80])
    with alone(tmp_path / "lock", "it", print), at_once(tmp_path / "lock") as holder:
        assert holder.startswith("`lab check caf\\udce9 éé") and "…` (process" in holder


def test_a_pin_that_is_not_there_is_named() -> None:
    with pytest.raises(KeyError, match=r"no entry 'go\.cobol'"):
        versions.pin("go.cobol")
