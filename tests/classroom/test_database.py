"""The database itself: its schema, transactions of several at once, and what happens while it is away."""

from __future__ import annotations

import functools
import time
from datetime import date, timedelta

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect
from sqlalchemy.exc import DBAPIError

from mlops_lab.base.errors import LabError
from mlops_lab.classroom import audit
from mlops_lab.classroom.roster import Learner, end_of
from mlops_lab.classroom.server import people, queue
from mlops_lab.classroom.server.database import Away, Database
from mlops_lab.classroom.server.queue import Submission, Taken
from mlops_lab.classroom.server.records import Ledger
from mlops_lab.classroom.server.schema import metadata
from tests.classroom.made_up import CHECKER, KEY, NOW, ROSTER, enrol, graded, hand_in, outcome, together
from tests.classroom.postgres import Postgres


def difference(connection: Connection) -> list[object]:
    """What migrations make otherwise than the tables say, and tables that nobody knows."""
    found = compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata)
    return [*found, *(set(inspect(connection).get_table_names()) - {*metadata.tables, "alembic_version"})]


def test_migrations_make_what_the_tables_say(database: Database) -> None:
    with database.transaction() as connection:
        assert difference(connection) == []


def test_a_schema_is_settled_once_and_a_newer_one_is_left_alone(database: Database) -> None:
    enrol(database)
    database.settle()
    with database.transaction() as connection:
        assert len(connection.exec_driver_sql("SELECT * FROM learners").all()) == 3
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(LabError, match="a newer one has made it"):
        database.settle()


def test_what_goes_wrong_in_the_middle_leaves_nothing(database: Database) -> None:
    enrol(database)
    with pytest.raises(ZeroDivisionError), database.transaction() as connection:
        hand_in(connection, "ada", "work")
        _ = 1 // 0
    with database.transaction() as connection:
        assert queue.waiting(connection) == []
        assert hand_in(connection, "ada", "work").number == 1


def guests(database: Database) -> None:
    """Who comes by a learning platform takes part without the roster, which goes before it."""
    enrol(database)
    come = (Learner("gast", "Guest", "g@school.example"), Learner("ada", "Somebody Else"))

    def read() -> dict[str, Learner]:
        with database.transaction() as connection:
            return {each.id: each for each in people.enrolled(connection)}

    def join(*learners: Learner) -> int:
        with database.transaction() as connection:
            return sum(people.join(connection, each) for each in learners)

    assert sorted(together(*(functools.partial(join, *come) for _ in range(4)))) == [0, 0, 0, 1]
    assert read()["gast"] == come[0] and read()["ada"].name == "Ada L."
    assert join(Learner("gast", "Guest II")) == 1
    enrol(database, ROSTER[:1])
    assert set(read()) == {"ada", "gast"} and read()["gast"].name == "Guest II"
    enrol(database, (Learner("gast", "On the roster"),))
    assert join(Learner("gast", "Guest III")) == 0
    assert {each.name for each in read().values()} == {"On the roster"}
    enrol(database, ROSTER[:1])
    assert set(read()) == {"ada"}, "whom the roster had and has no more is gone"


def test_guests(database: Database) -> None:
    guests(database)


@pytest.mark.long  # it needs PostgreSQL
class TestPostgres:
    """The same, and what only several connections show."""

    def test_migrations(self, on_postgres: Database) -> None:
        with on_postgres.transaction() as connection:
            assert difference(connection) == []

    def test_guests(self, on_postgres: Database) -> None:
        guests(on_postgres)

    def test_two_servers_that_start_at_once(self, postgres: Postgres) -> None:
        url = postgres.database()
        both = [Database(url), Database(url)]
        assert together(*(each.settle for each in both)) == [None, None]
        for each in both:
            each.close()

    def test_the_chain(self, on_postgres: Database) -> None:
        enrol(on_postgres)
        ledger = Ledger(KEY)
        for failed in ("scales", "survives"):
            graded(on_postgres, ledger, "ada", failed)
        for deed in (
            "UPDATE results SET lab = '11'",
            "DELETE FROM results",
            "TRUNCATE results",
            "DELETE FROM submissions",
        ):
            with pytest.raises(DBAPIError), on_postgres.transaction() as connection:
                connection.exec_driver_sql(deed)
        with on_postgres.transaction() as connection:
            assert ledger.audit(connection) == 2
            assert audit.verify(ledger.export(connection), KEY.public).records == 2

    def test_no_two_graders_get_the_same_and_no_two_results_the_same_place(self, on_postgres: Database) -> None:
        enrol(on_postgres)
        ledger = Ledger(KEY)

        def send(number: int) -> Submission:
            with on_postgres.transaction() as connection:
                return hand_in(connection, ("ada", "bo", "cy")[number % 3], f"{number // 6}")

        def take() -> Taken | None:
            with on_postgres.transaction() as connection:
                return queue.take(connection, "g", CHECKER, NOW)

        def tell(taken: Taken) -> object:
            with on_postgres.transaction() as connection:
                return ledger.append(connection, taken.id, taken.token, outcome(), NOW)

        handed: list[Submission] = together(*(functools.partial(send, number) for number in range(12)))
        assert len({each.id for each in handed}) == 6 and sum(each.new for each in handed) == 6
        assert {each.number for each in handed} == {1, 2}
        taken = [each for each in together(*[take] * 8) if each]
        assert len({each.id for each in taken}) == len(taken) == 6
        assert not [each for each in together(*(functools.partial(tell, each) for each in taken * 2)) if not each]
        with on_postgres.transaction() as connection:
            assert ledger.audit(connection) == 6

    def test_a_database_that_goes_away_and_comes_back(self, postgres: Postgres, on_postgres: Database) -> None:
        enrol(on_postgres)
        with on_postgres.transaction() as connection:
            hand_in(connection, "ada", "first")
        postgres.stop()
        try:
            for _ in range(3):
                began = time.monotonic()
                with pytest.raises(Away), on_postgres.transaction() as connection:
                    hand_in(connection, "ada", "second")
                assert time.monotonic() - began < 4
            assert on_postgres.is_away
        finally:
            postgres.start()
        time.sleep(1.1)
        with on_postgres.transaction() as connection:
            assert [each.number for each in queue.waiting(connection)] == [1]
            assert hand_in(connection, "ada", "second").number == 2

    def test_times_are_in_utc_whatever_the_databases_own_zone_is(self, postgres: Postgres) -> None:
        url = postgres.database()
        first = Database(url)
        with first.transaction() as connection:
            name = connection.exec_driver_sql("SELECT current_database()").scalar_one()
            connection.exec_driver_sql(f"ALTER DATABASE {name} SET timezone = 'Europe/Berlin'")
        first.close()
        made = Database(url)
        try:
            made.settle()
            enrol(made)
            with made.transaction() as connection:
                at = hand_in(connection, "ada", "work").at
                assert (at, at.utcoffset()) == (NOW, timedelta(0)), "pages and the CSV say that it is UTC"
                token = people.hand_out(connection, "ada", end_of(date.max), NOW).token
                assert people.known(connection, token, NOW), "a year later there is none"
        finally:
            made.close()

    def test_a_database_that_only_reads_is_away_and_its_connections_are_not_kept(self, on_postgres: Database) -> None:
        enrol(on_postgres)
        with on_postgres.transaction() as connection:  # as one that was the primary before another took its place
            connection.exec_driver_sql("SET default_transaction_read_only = on")
        with pytest.raises(Away, match="does not answer"), on_postgres.transaction() as connection:
            hand_in(connection, "ada", "work")
        assert on_postgres.is_away
        time.sleep(1.1)
        with on_postgres.transaction() as connection:
            assert hand_in(connection, "ada", "work").number == 1

    def test_a_server_that_dies_in_a_transaction(self, postgres: Postgres, on_postgres: Database) -> None:
        enrol(on_postgres)
        with pytest.raises(Away), on_postgres.transaction() as connection:
            hand_in(connection, "ada", "work")
            postgres.stop()
            postgres.start()
            hand_in(connection, "ada", "more")
        time.sleep(1.1)
        with on_postgres.transaction() as connection:
            assert queue.waiting(connection) == []
