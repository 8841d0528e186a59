"""What graders ask and tell, against the server itself: the two ends of one form."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from mlops_lab.checks.verdicts import Result, Verdict
from mlops_lab.classroom.grader.asking import Server, Stale
from mlops_lab.classroom.grader.outcome import outcome
from tests.classroom.made_up import outcome as made_up
from tests.classroom.served import GRADER, Served, served

CHECKER = "sha256:" + "0" * 64


@pytest.fixture
def at_class(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path) as klass:
        yield klass


def at(klass: Served, token: str) -> Server:
    return Server(f"http://127.0.0.1:{klass.port_inside}", token)


def results(verdict: Verdict) -> list[Result]:
    return [Result("works", "It works", verdict, 10, seen="so\0 it is \ud800", why="why", evidence=("line",), seed=5)]


def test_a_submission_is_taken_graded_and_in_the_chain(at_class: Served) -> None:
    at_class.submit("ada", "a file")
    dispatcher = at(at_class, GRADER)
    taken = dispatcher.take("one", CHECKER, ["10"])
    assert taken and (taken.learner, taken.lab, taken.tries) == ("ada", "10", 1)
    assert dispatcher.take("two", CHECKER, ["10"]) is None
    own = at(at_class, taken.token)
    assert own.archive(taken.submission, taken.sha256)
    own.alive(taken.submission)
    said = outcome(results(Verdict.FAIL), "hash", 1.5)
    assert own.result(taken.submission, said) == "graded"
    assert own.result(taken.submission, said) == "graded"  # told twice is told once
    with pytest.raises(Stale):
        own.alive(taken.submission)


@pytest.mark.parametrize("letter", ["😀", "\x01", '"', "\ud83d"])
def test_a_result_of_full_checks_is_taken_whatever_a_program_printed(at_class: Served, letter: str) -> None:
    at_class.submit("ada", "a file")
    taken = at(at_class, GRADER).take("one", CHECKER, ["10"])
    assert taken
    text, lines = letter * 3000, (letter * 1000,) * 50
    full = [
        Result(f"check-{number}", text, Verdict.FAIL, 1, expected=text, seen=text, why=text, evidence=lines)
        for number in range(20)
    ]
    assert at(at_class, taken.token).result(taken.submission, outcome(full, "hash", 1.5)) == "graded"


def test_what_could_not_be_run_waits_again_and_so_does_what_is_given_back(at_class: Served) -> None:
    at_class.submit("ada", "a file")
    dispatcher = at(at_class, GRADER)
    first = dispatcher.take("one", CHECKER, ["10"])
    assert first
    assert at(at_class, first.token).result(first.submission, outcome(results(Verdict.ERROR), "h", 1.0)) == "waiting"
    second = dispatcher.take("one", CHECKER, ["10"])
    assert second and (second.submission, second.tries) == (first.submission, 2)
    with pytest.raises(Stale):
        dispatcher.back(first.submission, "the first try's grader is late", 1)
    dispatcher.back(second.submission, "its grader died", 2)
    third = dispatcher.take("one", CHECKER, ["10"])
    assert third and third.tries == 3
    with pytest.raises(Stale):
        at(at_class, second.token).alive(second.submission)


def test_who_could_not_run_checks_is_told_that_it_was_the_last_try(
    at_class: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_class.submit("ada", "a file")
    told = list[tuple[str, ...]]()
    monkeypatch.setattr(at_class.service.hub, "tell", lambda *given: told.append(given))
    for state in ("waiting", "waiting", "waiting", "waiting", "failed"):
        taken = at(at_class, GRADER).take("one", CHECKER, ["10"])
        assert taken
        said = outcome(results(Verdict.ERROR), "h", 1.0)
        assert at(at_class, taken.token).result(taken.submission, said) == state
    assert set(told) == {("queue", "ada", "10")}, "nobody else's page has news"


@pytest.mark.parametrize(("header", "status"), [(None, 401), ("Bearer ", 401), ("Basic x", 401), ("Bearer x", 409)])
def test_nothing_is_done_with_a_submission_without_its_token(at_class: Served, header: str | None, status: int) -> None:
    at_class.submit("ada", "a file")
    taken = at_class.take()
    for part, method, body in (
        ("back", "POST", b'{"why": "nobody", "over": true}'), ("archive", "GET", None), ("looked", "POST", b"[]"),
        ("alive", "POST", b"{}"), ("result", "POST", msgspec.json.encode(made_up())),
    ):  # fmt: skip
        path = f"/internal/submissions/{taken['submission']}/{part}"
        assert at_class.ask(path, method, body, inside=True, Authorization=header).status == status, part
    assert at_class.tell(taken, made_up()).status == 201
