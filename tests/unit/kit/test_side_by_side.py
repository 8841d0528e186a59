"""What is done side by side ends together."""

from __future__ import annotations

import asyncio

import pytest

from mlops_lab.kit.side_by_side import together


def test_what_each_gave_comes_in_their_order() -> None:
    async def after(seconds: float) -> float:
        await asyncio.sleep(seconds)
        return seconds

    async def play() -> list[float]:
        return await together(after(0.02), after(0.0), after(0.01))

    assert asyncio.run(play()) == [0.02, 0.0, 0.01]


@pytest.mark.parametrize("outside", [False, True])
def test_the_first_failure_ends_the_rest_once_they_have_put_back(outside: bool) -> None:
    put_back: list[str] = []

    async def changes() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.01)
            put_back.append("done")

    async def fails() -> None:
        await asyncio.sleep(60 if outside else 0.01)
        raise ValueError("the first")

    async def play() -> None:
        async with asyncio.timeout(0.05 if outside else 30):
            await together(changes(), fails())

    with pytest.raises(TimeoutError if outside else ValueError):
        asyncio.run(play())
    assert put_back == ["done"]
