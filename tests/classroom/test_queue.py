"""The queue: whose turn it is, what is the same submission, and that none is lost."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest
from sqlalchemy import event

from mlops_lab.base.errors import UsageError
from mlops_lab.classroom.server import queue
from mlops_lab.classroom.server.database import Database
from mlops_lab.classroom.server.queue import Full, Stale
from tests.classroom.made_up import CHECKER, NOW, enrol, hand_in


@pytest.fixture(autouse=True)
def enrolled(database: Database) -> None:
    enrol(database)


def order(database: Database) -> list[tuple[str, int]]:
    with database.transaction() as connection:
        found = queue.waiting(connection)
        assert [queue.one(connection, each.id).place for each in found] == [each.place for each in found]
        assert [each.place for each in found] == list(range(1, len(found) + 1))
        return [(each.learner, each.number) for each in found]


def test_a_learners_submissions_are_found_by_two_questions(database: Database) -> None:
    with database.transaction() as connection:
        for number in range(5):
            hand_in(connection, "bo", f"{number}")
            hand_in(connection, "ada", f"{number}")
    assert take(database)
    asked: list[str] = []
    with database.transaction() as connection:
        alone = [queue.one(connection, each) for each in range(10, 0, -1)]
        event.listen(connection, "before_cursor_execute", lambda *given: asked.append(given[2]))
        for learner in ("ada", "bo"):
            assert queue.of(connection, learner) == [each for each in alone if each.learner == learner]
        assert len(asked) == 4 and queue.of(connection, "cy") == [] and len(asked) == 5


def take(database: Database, **more: object) -> queue.Taken | None:
    with database.transaction() as connection:
        return queue.take(connection, "grader-1", CHECKER, NOW, **more)  # type: ignore[arg-type]


def test_a_tenth_submission_does_not_stand_before_anothers_first(database: Database) -> None:
    with database.transaction() as connection:
        for number in range(10):
            assert hand_in(connection, "ada", f"{number}").place == number + 1
    assert take(database) and take(database)
    with database.transaction() as connection:
        assert hand_in(connection, "bo", "x").place == 1
        assert hand_in(connection, "bo", "y").place == 2
        assert hand_in(connection, "cy", "z").place == 2
    assert order(database)[:5] == [("bo", 1), ("cy", 1), ("bo", 2), ("ada", 3), ("ada", 4)]


@pytest.mark.parametrize("seed", range(5))
def test_whoever_has_nothing_unfinished_stands_before_all_that_have(database: Database, seed: int) -> None:
    draw, unfinished = random.Random(seed), dict.fromkeys(("ada", "bo", "cy"), 0)
    for step in range(60):
        learner = draw.choice(["ada", "ada", "ada", "bo", "cy", ""])
        if learner and unfinished[learner] < queue.MOST_WAITING:
            alone = not unfinished[learner]
            with database.transaction() as connection:
                handed = hand_in(connection, learner, f"{step}")
                stand = queue.waiting(connection)
            if alone:
                firsts = [each for each in stand[: (handed.place or 0) - 1] if unfinished[each.learner] > 1]
                # Of those who have several, at most one each stands before it: their own first.
                assert len({each.learner for each in firsts}) == len(firsts)
            unfinished[learner] += 1
        elif not learner and (taken := take(database)):
            unfinished[taken.learner] -= 1
            with database.transaction() as connection:
                connection.exec_driver_sql(f"UPDATE submissions SET state = 'graded' WHERE id = {taken.id}")


def test_the_same_archive_is_the_same_submission_and_of_another_learner_or_lab_another(database: Database) -> None:
    with database.transaction() as connection:
        first = hand_in(connection, "ada", "work")
        again = hand_in(connection, "ada", "work", at=NOW + timedelta(hours=1))
        others = [hand_in(connection, "bo", "work"), hand_in(connection, "ada", "work", lab="04")]
        second = hand_in(connection, "ada", "other work")
    assert first.new and not again.new and (again.id, again.at, again.number) == (first.id, NOW, 1)
    assert len({first.id, *(each.id for each in others)}) == 3 and [each.number for each in others] == [1, 1]
    assert second.number == 2
    with database.transaction() as connection:
        assert queue.archive(connection, first.id) == b"work"


def test_nobody_fills_the_queue(database: Database) -> None:
    with database.transaction() as connection:
        for number in range(queue.MOST_WAITING):
            hand_in(connection, "ada", f"{number}")
        with pytest.raises(Full):
            hand_in(connection, "ada", "one more")
        assert not hand_in(connection, "ada", "0").new
        hand_in(connection, "bo", "mine")


def test_nobody_fills_the_database(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "MOST_KEPT", 4 << 20)
    for number in range(4):
        with database.transaction() as connection:
            handed = hand_in(connection, "ada", bytes([number]) * (1 << 20))
            connection.exec_driver_sql("UPDATE submissions SET state = 'graded'")
    with database.transaction() as connection:
        with pytest.raises(UsageError, match="4 MiB together"):
            hand_in(connection, "ada", "one more")
        connection.exec_driver_sql(f"UPDATE submissions SET state = 'failed' WHERE id = {handed.id}")
        assert hand_in(connection, "ada", b"\3" * (1 << 20)).state == "waiting", "what is kept can be handed in again"
        assert hand_in(connection, "bo", "mine").new


def test_another_learners_submission_is_as_one_that_is_not_there(database: Database) -> None:
    with database.transaction() as connection:
        handed = hand_in(connection, "ada", "work")
        said = set()
        for number in (handed.id, handed.id + 1):
            with pytest.raises(UsageError) as refused:
                queue.one(connection, number, "bo")
            said.add(str(refused.value).replace(str(number), "N"))
    assert len(said) == 1


def test_a_submission_of_a_grader_that_died_keeps_its_turn_and_its_late_result_is_refused(database: Database) -> None:
    with database.transaction() as connection:
        hand_in(connection, "ada", "1")
        hand_in(connection, "bo", "1")
    taken = take(database)
    assert taken and taken.learner == "ada" and taken.tries == 1
    with database.transaction() as connection:
        assert queue.give_back(connection, taken.id, "the pod was evicted\0 \ud800") == "waiting"
        assert queue.give_back(connection, taken.id, "again") == "waiting"
    assert order(database) == [("ada", 1), ("bo", 1)]
    again = take(database)
    assert again and again.id == taken.id and again.tries == 2 and again.token != taken.token
    with database.transaction() as connection:
        assert queue.held(connection, again.id, again.token).learner == "ada"
        for token in (taken.token, "", "é"):
            with pytest.raises(Stale):
                queue.held(connection, taken.id, token)
        assert queue.one(connection, taken.id).why == "the pod was evicted? ?"


def test_what_another_grader_has_by_now_is_not_given_back(database: Database) -> None:
    with database.transaction() as connection:
        hand_in(connection, "ada", "1")
    silent = take(database)
    assert silent
    with database.transaction() as connection:
        queue.give_back(connection, silent.id, "the dispatcher saw it die")
    taken = take(database)
    assert taken and taken.id == silent.id
    with database.transaction() as connection:
        assert queue.give_back(connection, taken.id, "nothing was heard", tries=silent.tries) == "grading"
        assert queue.held(connection, taken.id, taken.token).why == "the dispatcher saw it die"
        assert queue.give_back(connection, taken.id, "nothing was heard", tries=taken.tries) == "waiting"


def test_what_no_grader_survives_is_given_up_and_can_be_tried_again(database: Database) -> None:
    with database.transaction() as connection:
        handed = hand_in(connection, "ada", "bomb")
    for number in range(1, queue.MOST_TRIES + 1):
        taken = take(database)
        assert taken and taken.tries == number
        with database.transaction() as connection:
            state = queue.give_back(connection, taken.id, "the grader died")
    assert state == "failed" and take(database) is None
    with database.transaction() as connection:
        queue.again(connection, handed.id)
    taken = take(database)
    assert taken and taken.tries == queue.MOST_TRIES + 1, "what was made for a try bears its number"
    with database.transaction() as connection:
        connection.exec_driver_sql("UPDATE submissions SET state = 'failed'")
        handed = hand_in(connection, "ada", "bomb")
        assert (handed.state, handed.new, handed.number) == ("waiting", False, 1)
    tries = []
    while taken := take(database):
        tries.append(taken.tries)
        with database.transaction() as connection:
            queue.give_back(connection, taken.id, "the grader died")
    assert tries == list(range(2 * queue.MOST_TRIES + 1, 3 * queue.MOST_TRIES + 1)), "as often as before"


def test_a_grader_can_ask_for_some_labs_only(database: Database) -> None:
    with database.transaction() as connection:
        hand_in(connection, "ada", "1", lab="10")
        hand_in(connection, "ada", "1", lab="04")
    assert (taken := take(database, labs=["04"])) and taken.lab == "04"
    assert take(database, labs=["04", "05"]) is None
    assert (taken := take(database)) and taken.lab == "10"
