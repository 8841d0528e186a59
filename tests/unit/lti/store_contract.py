"""What every `ports.Store` keeps to, as a server's own must too: `await keeps(store, move)`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from mlops_lab.classroom.lti.ports import Store


async def keeps(store: Store, now: Callable[[], datetime], move: Callable[[float], None]) -> None:
    """Fails where a store does otherwise.

    Args:
        now: what time the store takes it to be.
        move: moves that by seconds.
    """
    value = {"text": "ä\n\u2028'\"; --", "number": 1.5, "none": None, "list": [1, {"a": []}]}
    longest = "k" * 64
    assert await store.get("a", longest) is None
    await store.put("a", longest, value)
    await store.put("b", longest, {"other": True})
    assert await store.get("a", longest) == value
    await store.put("a", longest, {"n": 2})
    assert await store.get("a", longest) == {"n": 2}
    assert await store.get("b", longest) == {"other": True}
    assert await store.add("a", longest, {"n": 3}) == {"n": 2}
    assert await store.add("a", "new", {"n": 3}) == {"n": 3}
    assert sorted(str(each) for each in await store.all("a")) == ["{'n': 2}", "{'n': 3}"]
    assert list(await store.all("none")) == []
    assert await store.take("a", "new") == {"n": 3}
    assert await store.take("a", "new") is None
    assert await store.add("a", "new", {"n": 4}) == {"n": 4}

    await store.put("once", "x", value)
    taken = await asyncio.gather(*(store.take("once", "x") for _ in range(8)))
    assert [each for each in taken if each is not None] == [value]
    added = await asyncio.gather(*(store.add("first", "x", {"n": n}) for n in range(8)))
    assert all(each == added[0] for each in added)

    await store.put("ends", "x", value, now() + timedelta(seconds=60))
    await store.put("ends", "y", value, now() + timedelta(seconds=60))
    assert await store.get("ends", "x") == value
    move(61)
    assert await store.get("ends", "x") is None
    assert await store.take("ends", "y") is None
    assert list(await store.all("ends")) == []
    assert await store.add("ends", "x", {"n": 5}) == {"n": 5}
    assert await store.get("ends", "x") == {"n": 5}
