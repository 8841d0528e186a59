"""Terminals of the desk: a shell in the workspace with what the work needs, shared by windows, gone with the desk."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest
import websocket

from mlops_lab.desk import terminals
from tests.desk.made_up import Served, lives, served, until


class Typist:
    """A window's terminal."""

    def __init__(self, desk: Served, path: str = "/terminal/labs/04") -> None:
        self.socket = desk.socket(path)
        self.seen = ""
        self.kinds: list[str] = []
        self.size(24, 100)

    def size(self, rows: int, columns: int) -> None:
        self.socket.send(json.dumps(["set_size", rows, columns]))

    def type(self, text: str) -> None:
        self.socket.send(json.dumps(["stdin", text]))

    def until(self, wanted: str) -> str:
        """Read until this text has come, from where the last call ended."""
        while wanted not in self.seen:
            kind, text = json.loads(self.socket.recv())
            assert kind in ("setup", "before", "stdout"), (kind, self.seen)
            self.seen += text if kind != "setup" else ""
            self.kinds.append(kind)
        before, _, self.seen = self.seen.partition(wanted)
        return before

    def said(self, command: str) -> str:
        """The output of a command."""
        self.type(f"echo BE''GIN; {command}; echo EN''D\r")
        return self.until("END").partition("BEGIN\r\n")[2]


@pytest.fixture
def typist(at_desk: Served) -> Typist:
    at_desk.begin()
    return Typist(at_desk)


def test_the_shell_is_in_the_workspace_with_what_the_work_needs(at_desk: Served, typist: Typist) -> None:
    folder = at_desk.root / "work" / "04-deploy"
    assert typist.said("pwd").strip() == str(folder)
    assert typist.said("echo $KUBECONFIG").strip() == str(folder / ".lab" / "kubeconfig")
    assert typist.said("type k").strip() == "k is aliased to `kubectl'"
    assert Path(typist.said("type -p kubectl").strip()).parent.joinpath("python").exists()
    assert typist.said("env | grep -c LAB_DESK").strip() == "0"


def test_the_users_own_settings_count_and_the_projects_programs_still_come_first(at_desk: Served) -> None:
    (at_desk.root / ".bashrc").write_text("alias mine='echo yes'\nexport PATH=/elsewhere:$PATH KUBECONFIG=/other\n")
    at_desk.begin()
    typist = Typist(at_desk)
    assert "yes" in typist.said("mine")
    assert not typist.said("echo $PATH").startswith("/elsewhere")
    assert typist.said("echo $KUBECONFIG").strip().endswith("/04-deploy/.lab/kubeconfig")


def test_k_is_completed(typist: Typist) -> None:
    typist.said("true")
    typist.type("k rollo\t")
    typist.until("k rollout ")
    typist.type("\x15lab rese\t")
    typist.until("lab reset ")


def test_the_shell_has_the_smallest_windows_size(at_desk: Served, typist: Typist) -> None:
    assert typist.said("stty size").strip() == "24 100"
    other = Typist(at_desk)
    other.size(20, 120)
    until(lambda: typist.said("stty size").strip() == "20 100")
    other.socket.close()
    until(lambda: typist.said("stty size").strip() == "24 100")


def test_two_windows_are_one_terminal_and_a_later_one_sees_what_was(at_desk: Served, typist: Typist) -> None:
    typist.type("echo fi''rst\r")
    typist.until("first")
    other = Typist(at_desk)
    other.until("first")
    other.type("echo sec''ond\r")
    other.until("second")
    typist.until("second")
    alone = at_desk.begin("10") and Typist(at_desk, "/terminal/labs/10")
    assert alone.said("pwd").strip().endswith("10-autoscale")
    assert "second" not in alone.seen


def test_what_was_before_is_told_from_what_comes_so_that_no_question_in_it_is_answered_again(
    at_desk: Served, typist: Typist
) -> None:
    typist.said(r"printf '\033[c'")
    assert "before" not in typist.kinds, "there was nothing"
    other = Typist(at_desk)
    assert "\x1b[c" in other.until("END")
    assert other.kinds == ["setup", "before"]
    other.said("echo mo''re")
    assert set(other.kinds[2:]) == {"stdout"}


_FLOOD = """\
import pathlib, sys
for number in range(1, 17):
    sys.stdout.write("x" * (1 << 20))
    sys.stdout.flush()
    pathlib.Path("written").write_text(str(number))
"""


def _flood(folder: Path) -> str:
    """Words that show 16 MiB, and END."""
    (folder / "flood.py").write_text(_FLOOD)
    return f"{sys.executable} flood.py; echo EN''D\r"


def _written(folder: Path) -> int:
    file = folder / "written"
    return int(file.read_text() or 0) if file.exists() else 0


def _read(typist: Typist) -> None:
    """Read until END, and keep nothing."""
    last = ""
    while "END" not in last:
        last = last[-2:] + str(json.loads(typist.socket.recv())[1])


def test_what_shows_more_than_a_window_takes_waits_for_it_as_in_any_terminal(at_desk: Served, typist: Typist) -> None:
    folder = at_desk.begin()

    def waits() -> bool:
        before = _written(folder)
        time.sleep(0.5)
        return 0 < before == _written(folder)

    typist.type(_flood(folder))
    until(waits)
    assert _written(folder) < 12  # what the desk and the connection hold
    _read(typist)
    assert _written(folder) == 16


def test_a_window_that_does_not_read_holds_no_other_up_and_is_let_go(
    at_desk: Served, typist: Typist, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminals, "_BEHIND", 2 << 20)
    folder, other = at_desk.begin(), Typist(at_desk)
    typist.type(_flood(folder))
    _read(typist)
    assert _written(folder) == 16
    with pytest.raises((websocket.WebSocketConnectionClosedException, ConnectionError, ValueError)):
        _read(other)
    assert "xxx" in Typist(at_desk).until("END")


def test_a_shell_that_has_ended_is_followed_by_another(at_desk: Served, typist: Typist) -> None:
    typist.said("X=1")
    typist.type("exit\r")
    with pytest.raises((AssertionError, websocket.WebSocketConnectionClosedException)):
        typist.until("never")
    assert Typist(at_desk).said("echo [$X]").strip() == "[]"


def test_what_is_no_message_ends_the_connection_and_nothing_else(
    at_desk: Served, typist: Typist, caplog: pytest.LogCaptureFixture
) -> None:
    for message in ("", "{", "[]", "1", '["set_size", "a", 1]', '["set_size", 1e999, 3]', '["set_size"]', '["stdin"]'):
        other = Typist(at_desk)
        other.socket.send(message)
        while other.socket.recv_data()[0] != websocket.ABNF.OPCODE_CLOSE:
            pass
    assert typist.said("echo ok").strip() == "ok"
    assert caplog.records == []


def test_while_an_engine_does_not_answer_a_terminal_waits_and_pages_do_not(at_desk: Served) -> None:
    at_desk.begin()
    at_desk.cluster.silent = 3.0
    begun = time.monotonic()
    typist = Typist(at_desk)
    assert at_desk.ask("/").status == 200
    assert time.monotonic() - begun < at_desk.cluster.silent
    assert typist.said("echo ok").strip() == "ok"


def test_a_window_that_goes_while_its_terminal_begins_is_no_trouble(
    at_desk: Served, caplog: pytest.LogCaptureFixture
) -> None:
    at_desk.begin()
    at_desk.cluster.silent = 0.5
    Typist(at_desk).socket.close()
    assert Typist(at_desk).said("echo ok").strip() == "ok"
    assert caplog.records == []


def test_with_the_desk_ends_what_a_shell_began_that_has_ended_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlops_lab.desk.terminals._EVERY", 0.05)
    with served(tmp_path) as desk:
        desk.begin()
        typist = Typist(desk)
        typist.said("(trap '' HUP; exec sleep 603) <>/dev/null >&0 2>&0 & echo $! >child")
        pid = int((desk.root / "work" / "04-deploy" / "child").read_text())
        typist.type("exit\r")
        with pytest.raises((AssertionError, websocket.WebSocketConnectionClosedException)):
            typist.until("never")
        assert Typist(desk).said("echo ok").strip() == "ok"
        assert lives(pid), "it is the learner's, and goes on so long"
    assert not lives(pid)


def test_a_session_without_processes_is_forgotten_and_one_of_its_number_is_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(terminals, "_all", lambda: [1, 20, 31])
    monkeypatch.setattr(terminals, "_session", {1: 1, 20: 20, 31: 30}.get)
    assert terminals._empty({10, 20, 30}) == {10, 20}


def test_with_the_desk_end_its_shells_and_all_that_they_began(tmp_path: Path) -> None:
    with served(tmp_path) as desk:
        desk.begin()
        typist = Typist(desk)
        typist.said(
            "(trap '' HUP TERM; echo $BASHPID >stubborn; exec sleep 600) & sleep 601 & echo $! >child; echo $$ >shell"
        )
        typist.type("sleep 602\r")
        folder = desk.root / "work" / "04-deploy"
        files = [folder / name for name in ("stubborn", "child", "shell")]
        until(lambda: all(file.exists() and file.read_text().strip() for file in files))
        pids = [int(file.read_text()) for file in files]
        assert all(map(lives, pids))
    assert not any(map(lives, pids))
