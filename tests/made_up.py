"""A `Lab` without a cluster: rooms in which all is well and nothing is there, and of which a test says what differs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from mlops_lab.checks import Lab, Observation
from mlops_lab.checks.rooms.work import Work
from mlops_lab.checks.watched import Watched

READY = Observation(True, "ready", "ready")


class Room:
    """A room whose methods are those of its class, but for what a test puts in their place."""

    def __init__(self, **instead: Any) -> None:
        self.__dict__ |= instead


class NothingThere(Room):
    """Objects: none is there, yet each wait for pods ends well."""

    def deployment(self, name: str) -> Any:
        return self.named("Deployment", name)

    def named(self, kind: str, name: str) -> Any:
        return Watched(cast(Any, SimpleNamespace(find=lambda *given: None)), kind, name, "lab")

    async def all(self, kind: str, selector: str = "") -> list[Any]:
        return []

    async def pods_of(self, service: str) -> list[Any]:
        return []

    async def pods_until(self, *given: Any, **more: Any) -> Observation:
        return READY

    async def apply(self, *given: Any) -> None: ...

    async def patch(self, *given: Any) -> Any:
        return {}

    async def delete(self, *given: Any, **more: Any) -> None: ...

    async def kill(self, *given: Any, **more: Any) -> None: ...

    async def gone(self, *given: Any, **more: Any) -> None: ...


class NoTraffic(Room):
    """Traffic: loads that nobody sends."""

    def hidden_rows(self, count: int) -> Any:
        return SimpleNamespace(body={})

    @contextlib.asynccontextmanager
    async def load(self, *given: Any, **more: Any) -> AsyncIterator[Any]:
        yield SimpleNamespace(elapsed=5.0)


class NoTime(Room):
    """Waiting that takes no time; what a check looks at is looked at once."""

    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(0)

    async def in_thread(self, function: Callable[..., Any], *given: Any, **more: Any) -> Any:
        return function(*given, **more)

    async def eventually(
        self, look: Callable[[], Any], test: Callable[[Any], bool], *, expected: str, shown: Any, **more: Any
    ) -> Observation:
        seen = await look()
        return Observation(test(seen), expected, shown(seen), seen)


class Platform(Room):
    """The platform's names of images."""

    registry = "localhost:5001"

    def image(self, tag: str) -> str:
        return f"{self.registry}/flight-delay:{tag}"


def cancelled(check: Callable[[], Coroutine[Any, Any, Any]], after: float = 0.05) -> None:
    """Run a check, cancel it so many seconds later, and wait until all its threads have ended."""

    async def play() -> None:
        task = asyncio.create_task(check())
        await asyncio.sleep(after)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert task.cancelled(), "it ended before"

    asyncio.run(play())


def made_up_lab(number: str = "00", folder: Path | None = None, mistake: str = "", **rooms: Any) -> Lab:
    """A lab of made-up rooms.

    Args:
        rooms: what to put in place of one, by the name of Lab's attribute.
    """
    known: dict[str, Any] = {
        "objects": NothingThere(),
        "traffic": NoTraffic(),
        "work": Work(folder or Path(), "lab", Platform.registry, {}),
        "platform": Platform(),
        "programs": Room(),
        "nodes": Room(),
        "usage": Room(),
        "time": NoTime(),
    }
    return Lab(number, mistake=mistake, **(known | rooms))
