"""An exam at the desk: tasks, clock, flags and notes in every window, submit, the score sheet; practice has more."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
import websocket

from mlops_lab.base.errors import LabError
from tests.desk.made_up import EVIL, FakeSitting, Served, lives, until


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock is looked at often, and whether an exam is over."""
    monkeypatch.setattr("mlops_lab.desk.exam._EVERY", 0.05)
    monkeypatch.setattr("mlops_lab.desk.terminals._EVERY", 0.05)


@pytest.fixture
def sitting(at_desk: Served) -> FakeSitting:
    found = FakeSitting(at_desk.root)
    at_desk.sitting.append(found)
    return found


def mark(number: int) -> Any:
    return lambda message: message["kind"] == "mark" and message["number"] == number


def clock(**wanted: Any) -> Any:
    return lambda message: message["kind"] == "clock" and wanted.items() <= message.items()


def test_the_tasks_with_weight_and_domain_and_the_clock(at_desk: Served, sitting: FakeSitting) -> None:
    assert 'href="/exam"' in at_desk.ask("/").text
    page = at_desk.ask("/exam").text
    assert 'data-left="7200"' in page and "A node that is not ready" in page and "8 %" in page
    assert "cka/troubleshooting" in page
    task = at_desk.ask("/exam/2").text
    assert "<em>StorageClass</em>" in task and EVIL not in task and "namespace exam-2" in task
    assert 'href="/exam/1"' in task and 'href="/exam/3"' in task and 'data-left="7200"' in task
    assert 'id="checks"' not in task and "hint" not in task.replace("/hint", "")
    assert at_desk.ask("/exam/4").status == 404


def test_flag_and_note_are_kept_and_every_window_has_them(at_desk: Served, sitting: FakeSitting) -> None:
    with at_desk.listening("/live/exam") as one, at_desk.listening("/live/exam") as other:
        one(mark(3))
        other(mark(3))
        assert at_desk.ask("/exam/2/flag", "POST", {"on": True}).status == 204
        assert at_desk.ask("/exam/2/note", "POST", {"text": f"later {EVIL}"}).status == 204
        for heard in (one, other):
            assert heard(mark(2))["flagged"] is True
            assert heard(mark(2))["note"] == f"later {EVIL}"
    assert sitting.tasks()[1].flagged
    page = at_desk.ask("/exam").text
    assert 'aria-pressed="true"' in page and "later &lt;script&gt;" in page


def test_the_terminal_is_in_the_tasks_workspace(at_desk: Served, sitting: FakeSitting) -> None:
    from tests.desk.test_terminal import Typist

    typist = Typist(at_desk, "/terminal/exam/1")
    assert typist.said("pwd").strip() == str(at_desk.root / "task")
    assert typist.said("echo $KUBECONFIG").strip() == str(at_desk.root / "task" / "kubeconfig")
    assert typist.said("echo $PATH").startswith(str(at_desk.root / "exams-own"))
    typist.said("X=of-the-first")
    at_desk.sitting[0] = FakeSitting(at_desk.root)
    assert Typist(at_desk, "/terminal/exam/1").said("echo [$X]").strip() == "[]"


@pytest.mark.parametrize("how", ["graded", "gone"])
def test_the_terminals_of_its_tasks_end_with_an_exam(at_desk: Served, sitting: FakeSitting, how: str) -> None:
    from tests.desk.test_terminal import Typist

    at_desk.begin()
    lab = Typist(at_desk)
    lab.said("X=kept")
    typist = Typist(at_desk, "/terminal/exam/1")
    shell = int(typist.said("echo $$"))
    other = int(Typist(at_desk, "/terminal/exam/2").said("(trap '' HUP; exec sleep 604) & echo $!").split()[-1])
    if how == "graded":
        sitting.graded = True
    else:
        at_desk.sitting.clear()
    until(lambda: not lives(shell) and not lives(other))
    again = at_desk.socket("/terminal/exam/1")
    kind, data = again.recv_data()
    assert (kind, int.from_bytes(data[:2])) == (websocket.ABNF.OPCODE_CLOSE, 4404)
    assert lab.said("echo $X").strip() == "kept"


def test_in_an_exam_there_are_no_checks_and_no_hints(at_desk: Served, sitting: FakeSitting) -> None:
    for name in ("check", "hint"):
        answer = at_desk.ask(f"/exam/1/{name}", "POST", {})
        assert answer.status == 409 and "--practice" in answer.text


def test_practice_has_both(at_desk: Served) -> None:
    at_desk.sitting.append(FakeSitting(at_desk.root, practice=True))
    assert 'id="checks"' in at_desk.ask("/exam/1").text
    with at_desk.listening("/live/exam/1") as heard:
        assert at_desk.ask("/exam/1/check", "POST", {}).status == 204
        found = heard(lambda message: message["kind"] == "verdicts" and message["rows"])
        assert [row["verdict"] for row in found["rows"]] == ["pass", "fail"]
        assert at_desk.ask("/exam/1/hint", "POST", {}).status == 204
        assert "<strong>events</strong>" in heard(lambda message: message["kind"] == "hints")["html"][0]


def test_submit_grades_once_and_the_sheet_comes(at_desk: Served, sitting: FakeSitting) -> None:
    with at_desk.listening("/live/exam") as heard:
        assert at_desk.ask("/exam/submit", "POST", {}).status == 204
        heard(clock(graded=True, grading=False))
        at_desk.ask("/exam/submit", "POST", {})
    assert sitting.submitted == 1
    page = at_desk.ask("/exam").text
    assert "50 %" in page and "not passed" in page and "66 % are needed" in page and "kind: StorageClass" in page
    assert "3 of 6 %" in page and EVIL not in page


def test_at_the_end_of_the_time_it_is_submitted(at_desk: Served, sitting: FakeSitting) -> None:
    with at_desk.listening("/live/exam") as heard:
        heard(clock(left=7200.0))
        sitting.left = 0.0
        heard(clock(graded=True))
    assert sitting.submitted == 1


def test_trouble_while_grading_is_shown_and_submit_may_be_tried_again(at_desk: Served, sitting: FakeSitting) -> None:
    sitting.broken = LabError("the disk is full", "free some space: lab images prune")
    with at_desk.listening("/live/exam") as heard:
        at_desk.ask("/exam/submit", "POST", {})
        told = heard(lambda message: message["kind"] == "clock" and message["trouble"])
        assert told["trouble"]["message"] == "the disk is full" and not told["graded"]
        sitting.broken = None
        at_desk.ask("/exam/submit", "POST", {})
        heard(clock(graded=True, trouble=None))


def test_grading_at_the_end_is_tried_again_until_it_is_done(
    at_desk: Served, sitting: FakeSitting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlops_lab.desk.exam._AGAIN", 0.2)
    sitting.broken, sitting.left = LabError("another command works on the exam", "wait until it has ended"), 0.0
    with at_desk.listening("/live/exam") as heard:
        told = heard(lambda message: message["kind"] == "clock" and message["trouble"])
        assert told["trouble"]["message"] == "another command works on the exam"
        until(lambda: sitting.submitted >= 3)
        sitting.broken = None
        heard(clock(graded=True, trouble=None))


def test_between_two_tries_to_grade_there_is_a_pause(at_desk: Served, sitting: FakeSitting) -> None:
    sitting.broken, sitting.left = LabError("the cluster does not answer", "lab status"), 0.0
    with at_desk.listening("/live/exam") as heard:
        for _ in range(5):
            heard(lambda message: message["kind"] == "clock" and message["trouble"])
    assert sitting.submitted == 1


def test_the_sheet_says_where_the_files_are_and_what_could_not_be_taken_away_until_it_is(
    at_desk: Served, sitting: FakeSitting, monkeypatch: pytest.MonkeyPatch
) -> None:
    def left() -> None:
        sitting.graded, sitting.cleared = True, False
        raise LabError(f"task 2: namespace exam-2 does not go {EVIL}", "try again: lab exam stop")

    monkeypatch.setattr(sitting, "submit", left)
    with at_desk.listening("/live/exam") as heard:
        at_desk.ask("/exam/submit", "POST", {})
        heard(clock(graded=True, grading=False))
    page = at_desk.ask("/exam").text
    assert "50 %" in page and "namespace exam-2 does not go" in page and EVIL not in page
    assert "next: try again: lab exam stop" in page
    assert f"Your files are in {sitting.kept}" in page
    sitting.cleared = True  # by lab exam stop
    page = at_desk.ask("/exam").text
    assert "50 %" in page and "does not go" not in page


def test_the_sheet_is_there_while_the_exam_is_taken_away_and_windows_hear_of_the_end(
    at_desk: Served, sitting: FakeSitting, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, kept = threading.Event(), sitting.kept

    def slowly() -> None:
        sitting.graded, sitting.kept = True, None
        assert gone.wait(30)
        sitting.kept = kept

    monkeypatch.setattr(sitting, "submit", slowly)
    with at_desk.listening("/live/exam") as heard:
        at_desk.ask("/exam/submit", "POST", {})
        heard(clock(graded=True, grading=True))
        page = at_desk.ask("/exam").text
        assert "50 %" in page and "is being taken away" in page and "Your files are in" not in page
        gone.set()
        heard(clock(graded=True, grading=False))
    page = at_desk.ask("/exam").text
    assert "is being taken away" not in page and f"Your files are in {kept}" in page


def test_a_cluster_that_is_silent_keeps_no_page_waiting_and_no_clock_jumps(
    at_desk: Served, sitting: FakeSitting, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent, asked = threading.Event(), threading.Event()

    def waits() -> float:
        asked.set()
        silent.wait(20)
        return 7200.0

    with at_desk.listening("/live/exam") as heard:
        heard(clock(left=7200.0))
        monkeypatch.setattr(sitting, "seconds_left", waits)
        try:
            assert asked.wait(20)
            began = time.monotonic()
            time.sleep(1.1)
            pages = [at_desk.ask(path).text for path in ("/exam", "/exam/2")]
            with at_desk.listening("/live/exam") as other:
                left = other(clock())["left"]
            assert time.monotonic() - began < 15
        finally:
            silent.set()
    assert all('data-left="71' in page for page in pages) and 7100 < left < 7199


def test_that_the_clock_stands_is_said_and_why(at_desk: Served, sitting: FakeSitting) -> None:
    with at_desk.listening("/live/exam") as heard:
        heard(clock(trouble=None, stands=False))
        sitting.standing = "the API server does not answer"
        told = heard(clock(stands=True))["trouble"]
        assert "the API server does not answer" in told["message"] and "the clock stands" in told["message"]
        assert "lab status" in told["next"]
        sitting.standing = ""
        heard(clock(trouble=None, stands=False))


@pytest.mark.parametrize("fault", [LabError("the state is damaged", "lab exam status"), KeyError("ended")], ids=repr)
def test_a_look_that_fails_is_told_ends_nothing_and_is_forgotten_after_a_good_one(
    at_desk: Served, sitting: FakeSitting, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
    fault: Exception,
) -> None:  # fmt: skip
    def fails() -> None:
        raise fault

    with at_desk.listening("/live/exam") as heard:
        heard(clock(left=7200.0, trouble=None))
        with monkeypatch.context() as patched:
            patched.setattr(sitting, "sheet", fails)
            for _ in range(3):
                told = heard(lambda message: message["kind"] == "clock" and message["trouble"])
        known = isinstance(fault, LabError)
        assert told["trouble"]["next"] == ("lab exam status" if known else "see the terminal of lab desk")
        assert told["left"] == 7200.0 and len(caplog.records) == (0 if known else 1)
        heard(clock(trouble=None))
        sitting.left = 0.0
        heard(clock(graded=True))


def damaged() -> None:
    raise LabError("the state of exam 1 is damaged", "lab exam status")


def test_a_window_that_comes_while_the_state_can_not_be_read_hears_why(
    at_desk: Served, sitting: FakeSitting, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_desk.ask("/exam")
    monkeypatch.setattr(sitting, "tasks", damaged)
    monkeypatch.setattr(sitting, "sheet", damaged)
    with at_desk.listening("/live/exam") as heard:
        told = heard(lambda message: message["kind"] == "clock" and message["trouble"])["trouble"]
        assert told == {"message": "the state of exam 1 is damaged", "next": "lab exam status"}


def test_a_fault_while_an_exam_is_looked_for_ends_nothing(
    at_desk: Served, sitting: FakeSitting, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails() -> None:
        raise OSError("no space left on device")

    assert at_desk.ask("/exam").status == 200
    with at_desk.listening("/live/home") as home:
        for fault, printed in ((fails, 1), (damaged, 1)):
            with monkeypatch.context() as patched:
                patched.setattr(sitting, "tasks", fault)
                at_desk.sitting[0] = FakeSitting(at_desk.root)
                patched.setattr(at_desk.sitting[0], "tasks", fault)
                home(lambda message: message["kind"] == "changed")
                assert at_desk.ask("/exam").status == 404 and len(caplog.records) == printed
            home(lambda message: message["kind"] == "changed")
            assert at_desk.ask("/exam").status == 200


def test_another_sitting_takes_the_place_of_the_last_and_windows_hear_of_it(
    at_desk: Served, sitting: FakeSitting
) -> None:
    sitting.graded = True
    assert "50 %" in at_desk.ask("/exam").text
    with at_desk.listening("/live/home") as home, at_desk.listening("/live/exam") as heard:
        heard(clock(graded=True))  # it listens to the first one
        at_desk.sitting[0] = FakeSitting(at_desk.root)
        heard(lambda message: message["kind"] == "gone")
        home(lambda message: message["kind"] == "changed")
        assert "A volume that grows" in at_desk.ask("/exam").text and "50 %" not in at_desk.ask("/exam").text
        at_desk.sitting.clear()
        home(lambda message: message["kind"] == "changed")
    assert at_desk.ask("/exam").status == 404
    assert 'href="/exam"' not in at_desk.ask("/").text


def test_a_sitting_that_can_not_be_read_is_none(at_desk: Served, sitting: FakeSitting) -> None:
    at_desk.desk.exam._sitting = damaged
    assert at_desk.ask("/exam").status == 404
    assert at_desk.ask("/").status == 200


def test_an_error_of_the_sitting_is_said_with_what_to_do_next(
    at_desk: Served, sitting: FakeSitting, caplog: pytest.LogCaptureFixture
) -> None:
    def gone() -> None:
        raise LabError("a task's folder is gone", "lab exam stop")

    at_desk.ask("/exam")
    sitting.tasks = gone  # type: ignore[assignment]
    answer = at_desk.ask("/exam")
    assert answer.status == 500 and answer.text == "a task's folder is gone\nnext: lab exam stop\n"
    assert caplog.records == []
