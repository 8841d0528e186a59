"""What is kept by kind and key: with an end or without, and taken once."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from mlops_lab.classroom.server.database import Database
from mlops_lab.classroom.server.kept import Kept
from tests.classroom.made_up import NOW, together
from tests.unit.lti import store_contract


def of(database: Database, clock: list[Any]) -> Kept:
    async def run(function: Callable[..., Any], *given: Any) -> Any:
        with database.transaction() as connection:
            return function(connection, *given)

    return Kept(run, lambda: clock[0])


async def way(kept: Kept, clock: list[Any]) -> None:
    soon = NOW + timedelta(minutes=1)
    assert await kept.get("a", "x") is None and await kept.take("a", "x") is None
    await kept.put("a", "x", {"n": 1})
    await kept.put("a", "x", {"n": 2, "text": 'é\0"'})
    await kept.put("b", "x", {"n": 3}, soon)
    assert await kept.get("a", "x") == {"n": 2, "text": 'é\0"'}
    assert await kept.add("a", "x", {"n": 4}) == {"n": 2, "text": 'é\0"'}
    assert await kept.add("a", "w", {"n": 5}) == {"n": 5}
    assert [each["n"] for each in await kept.all("a")] == [5, 2] and await kept.all("b") == [{"n": 3}]
    assert await kept.take("a", "w") == {"n": 5} and await kept.take("a", "w") is None
    await kept.put("b", "y", {"n": 6}, soon)
    clock[0] = soon
    assert await kept.get("b", "x") is None and await kept.all("b") == [] and await kept.take("b", "x") is None
    assert await kept.add("b", "y", {"n": 7}) == {"n": 7}
    await kept.put("b", "z", {"n": 8}, soon)
    await kept.tidy()
    clock[0] = NOW
    assert await kept.get("b", "z") is None and await kept.get("b", "y") == {"n": 7}


async def as_learning_platforms_need_it(kept: Kept, clock: list[Any]) -> None:
    def move(seconds: float) -> None:
        clock[0] += timedelta(seconds=seconds)

    await store_contract.keeps(kept, lambda: clock[0], move)


def test_the_way_of_a_value(database: Database) -> None:
    clock = [NOW]
    once(way, of(database, clock), clock)


def test_it_keeps_to_what_learning_platforms_need(database: Database) -> None:
    clock = [NOW]
    once(as_learning_platforms_need_it, of(database, clock), clock)


@pytest.mark.long  # it needs PostgreSQL
def test_on_postgresql_one_of_many_takes_a_value(on_postgres: Database) -> None:
    clock = [NOW]
    kept = of(on_postgres, clock)
    once(way, kept, clock)
    for _ in range(5):
        once(kept.put, "nonce", "x", {"n": 1})
        taken = together(*[functools.partial(_now, kept.take, "nonce", "x")] * 6)
        assert sorted(taken, key=bool) == [None] * 5 + [{"n": 1}]
        added = together(*(functools.partial(_now, kept.add, "one", f"{_}", {"n": n}) for n in range(6)))
        assert len({each["n"] for each in added}) == 1


@pytest.mark.long  # it needs PostgreSQL
def test_on_postgresql_it_keeps_to_what_learning_platforms_need(on_postgres: Database) -> None:
    clock = [NOW]
    once(as_learning_platforms_need_it, of(on_postgres, clock), clock)


def once(function: Callable[..., Any], *given: Any) -> None:
    """Run it in a thread of its own: a browser's driver may have a loop in this one."""
    (found,) = together(functools.partial(_now, function, *given))
    assert found is None, found


def _now(function: Callable[..., Any], *given: Any) -> Any:
    return asyncio.run(function(*given))
