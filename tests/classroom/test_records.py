"""The signed chain in the database: results are signed once, in order, and what else is written there is noticed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from sqlalchemy.exc import DBAPIError

from mlops_lab.base.errors import UsageError
from mlops_lab.classroom import audit
from mlops_lab.classroom.chain import Check
from mlops_lab.classroom.server import queue
from mlops_lab.classroom.server.book import Book
from mlops_lab.classroom.server.database import Database
from mlops_lab.classroom.server.queue import Stale
from mlops_lab.classroom.server.records import Broken, Ledger, NoResult, after, read
from tests.classroom.made_up import CHECKER, KEY, NOW, enrol, graded, hand_in, outcome


@pytest.fixture
def ledger(database: Database) -> Ledger:
    enrol(database)
    return Ledger(KEY)


def lines(database: Database, ledger: Ledger) -> list[str]:
    with database.transaction() as connection:
        return list(ledger.export(connection))


def edited(database: Database, statement: str) -> None:
    """What somebody does who has the database itself, and takes its guard away first."""
    with database.transaction() as connection:
        for deed in ("update", "delete"):
            connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS results_stay_{deed}")
        connection.exec_driver_sql(statement)


def test_results_are_a_chain_that_anybody_with_the_public_key_can_check(database: Database, ledger: Ledger) -> None:
    for learner, failed in (("ada", "scales"), ("bo", ""), ("ada", "")):
        graded(database, ledger, learner, *filter(None, [failed]), content=f"{learner}{failed}")
    found = audit.verify(lines(database, ledger), KEY.public)
    assert (found.records, found.broken, found.notes) == (3, None, ())
    with database.transaction() as connection:
        records = list(after(connection))
        assert ledger.audit(connection) == 3
        assert [each.learner for each in after(connection, 1, learner="ada")] == ["ada"]
        assert queue.one(connection, 1).state == "graded"
    assert [(each.learner, each.points, each.number) for each in records] == [
        ("ada", 7, 1), ("bo", 10, 1), ("ada", 10, 2)
    ]  # fmt: skip
    assert records[0].checker == CHECKER and records[0].seed == 7 and records[0].seconds == 61.5


def test_a_result_told_twice_is_one_and_another_one_for_the_same_submission_is_refused(
    database: Database, ledger: Ledger
) -> None:
    with database.transaction() as connection:
        hand_in(connection, "ada", "work")
        taken = queue.take(connection, "g", CHECKER, NOW)
        assert taken
        first = ledger.append(connection, taken.id, taken.token, outcome("scales"), NOW)
    for other in (outcome(), outcome("survives"), outcome("scales", seed=8), outcome("scales", lab_content="0")):
        with pytest.raises(Stale), database.transaction() as connection:
            ledger.append(connection, taken.id, taken.token, other, NOW)
    with database.transaction() as connection:
        again = ledger.append(connection, taken.id, taken.token, outcome("scales"), NOW + timedelta(minutes=5))
    assert first and again == first and len(lines(database, ledger)) == 2


def test_a_token_is_good_for_its_own_submission_only(database: Database, ledger: Ledger) -> None:
    with database.transaction() as connection:
        hand_in(connection, "ada", "work")
        hand_in(connection, "bo", "work")
        first, second = (queue.take(connection, "g", CHECKER, NOW) for _ in range(2))
    assert first and second
    for submission, token in ((second.id, first.token), (first.id, second.token), (first.id, ""), (99, first.token)):
        with pytest.raises(Stale), database.transaction() as connection:
            ledger.append(connection, submission, token, outcome(), NOW)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"points": 11}, "are not what the checks have"),
        ({"possible": 9}, "are not what the checks have"),
        ({"checks": []}, "has 1 to"),
        ({"seconds": float("nan")}, "no time"),
        ({"seconds": -1.0}, "no time"),
        ({"checks": [Check("a", "pass", 5, 10)]}, "has not earned"),
        ({"checks": [Check("a", "fail", 10, 10)]}, "has not earned"),
        ({"checks": [Check("a", "pass", -1, -1), Check("b", "pass", 11, 11)]}, "has not earned"),
        ({"checks": [Check("a", "splendid", 10, 0)]}, "is no verdict"),
        ({"checks": [Check("a", "pass", 5, 5), Check("a", "pass", 5, 5)]}, "the same name"),
    ],
)
def test_what_can_not_be_a_result_is_refused(database: Database, ledger: Ledger, change: Any, said: str) -> None:
    with database.transaction() as connection:
        hand_in(connection, "ada", "work")
        taken = queue.take(connection, "g", CHECKER, NOW)
    assert taken
    with pytest.raises(UsageError, match=said), database.transaction() as connection:
        ledger.append(connection, taken.id, taken.token, msgspec.structs.replace(outcome(), **change), NOW)
    with database.transaction() as connection:
        assert queue.one(connection, taken.id).state == "grading" and ledger.last(connection) is None


def test_checks_that_could_not_be_run_cost_nobody_a_point(database: Database, ledger: Ledger) -> None:
    wrong = [replace(outcome("scales").checks[1], verdict="error", seen="the registry was away")]
    with database.transaction() as connection:
        hand_in(connection, "ada", "work")
        taken = queue.take(connection, "g", CHECKER, NOW)
        assert taken
        given = outcome(points=0, possible=3, checks=wrong)
        assert ledger.append(connection, taken.id, taken.token, given, NOW) == NoResult("waiting", "ada", "10")
        found = queue.one(connection, taken.id)
        assert (found.state, found.why) == ("waiting", "checks could not be run: scales: the registry was away")
        assert ledger.last(connection) is None


@pytest.mark.parametrize("deed", ["UPDATE results SET lab = '11'", "DELETE FROM results", "DELETE FROM submissions"])
def test_the_database_refuses_to_change_a_result(database: Database, ledger: Ledger, deed: str) -> None:
    graded(database, ledger, "ada")
    with pytest.raises(DBAPIError), database.transaction() as connection:
        connection.exec_driver_sql(deed)
    assert len(lines(database, ledger)) == 2


EDITS = {
    "a better grade": "UPDATE results SET record = replace(record, '\"points\":7', '\"points\":10') WHERE sequence = 2",
    "the last one deleted": "DELETE FROM results WHERE sequence = 3",
    "one in the middle deleted": "DELETE FROM results WHERE sequence = 2",
    "all deleted": "DELETE FROM results",
    "another one's": "UPDATE results SET record = (SELECT record FROM results WHERE sequence = 1) WHERE sequence = 3",
    "what is no record": "UPDATE results SET record = '{}' WHERE sequence = 3",
    "given to another": "UPDATE results SET learner = 'bo' WHERE sequence = 3",
}


@pytest.mark.parametrize("what", EDITS)
def test_what_somebody_has_edited_is_noticed_and_nothing_is_signed_behind_it(
    database: Database, ledger: Ledger, what: str
) -> None:
    for number in range(3):
        graded(database, ledger, "ada", "scales", content=f"{number}")
    with database.transaction() as connection:
        assert ledger.audit(connection) == ledger.audit(connection) == 3
    edited(database, EDITS[what])
    restarted = Ledger(KEY)
    with database.transaction() as connection:
        with pytest.raises(Broken):
            ledger.audit(connection)
        if what not in ("all deleted", "the last one deleted"):  # which the running server and the export's end notice
            with pytest.raises(Broken):
                restarted.audit(connection)
        hand_in(connection, "bo", "work")
        taken = queue.take(connection, "g", CHECKER, NOW)
    assert taken
    if what not in ("a better grade", "given to another"):  # the audit alone looks at all of them
        with pytest.raises(Broken), database.transaction() as connection:
            ledger.append(connection, taken.id, taken.token, outcome(), NOW)
        with database.transaction() as connection:
            assert queue.one(connection, taken.id).state == "grading", "it is not lost"


def test_an_audit_goes_on_from_the_one_before_and_sees_what_was_forged_since(
    database: Database, ledger: Ledger
) -> None:
    graded(database, ledger, "ada", "scales")
    with database.transaction() as connection:
        assert ledger.audit(connection) == 1
    for content in ("more", "and more"):
        graded(database, ledger, "ada", content=content)
        with database.transaction() as connection:
            assert ledger.audit(connection) == 2 + (content != "more")
    graded(database, ledger, "ada", content="at last")
    edited(database, "UPDATE results SET record = replace(record, '\"points\":10', '\"points\":9') WHERE sequence = 4")
    with pytest.raises(Broken, match="record 4 was changed"), database.transaction() as connection:
        ledger.audit(connection)


def test_the_sequence_orders_and_not_the_clock(database: Database, ledger: Ledger) -> None:
    graded(database, ledger, "ada", "scales", at=NOW)
    back = graded(database, ledger, "ada", "survives", at=NOW - timedelta(days=400))
    with database.transaction() as connection:
        assert ledger.audit(connection) == 2
        book = Book({"10": NOW})
        assert [each.sequence for each in book.read_on(connection)] == [1, 2]
    cell = book.cells["ada", "10"]
    assert cell.last == back and (cell.failed, cell.stuck) == ("survives", "") and cell.attempts == 2
    found = audit.verify(lines(database, ledger), KEY.public)
    assert found.records == 2 and found.broken is None and "clock was set back" in found.notes[0]


def test_the_gradebook_reads_on_and_knows_what_is_late_and_stuck(database: Database, ledger: Ledger) -> None:
    book = Book({"10": NOW + timedelta(hours=1)})
    for hours, failed in ((0, ("scales", "survives")), (0.5, ("survives",)), (2, ("survives", "scales")), (3, ())):
        record = graded(database, ledger, "ada", *failed, at=NOW + timedelta(hours=hours))
        with database.transaction() as connection:
            assert book.read_on(connection) == [record] and book.read_on(connection) == []
        cell = book.cells["ada", "10"]
        if hours == 0.5:
            assert (cell.failed, cell.stuck, cell.tries["survives"]) == ("survives", "survives", 2)
        if hours == 2:
            assert (
                (cell.failed, cell.stuck) == ("scales", "")
                and cell.failing["survives"] == NOW
                and cell.tries["survives"] == 3
            )
            assert cell.failing["scales"] == NOW + timedelta(hours=2) and not cell.late and not cell.passed
            assert (cell.points, cell.on_time, cell.possible, cell.attempts) == (5, 5, 10, 3)
    assert (
        cell.passed and cell.late and (cell.points, cell.on_time) == (10, 5) and (cell.failed, cell.stuck) == ("", "")
    )
    assert book.possible() == {"10": 10} and book.of("ada") == {"10": cell} and book.of("bo") == {}
    assert read(lines(database, ledger)[0]).learner == "ada"
