"""To look at something again and again while a check does something else, such as send a load."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from mlops_lab.checks import LabError


@contextlib.asynccontextmanager
async def looked_at(
    look: Callable[[], Awaitable[object]], *, every: float, goes_on: Callable[[], bool] = lambda: True
) -> AsyncIterator[None]:
    """Look at once, and again and again while the block runs; what may be over in a moment costs a look, and no more.

    Args:
        every: seconds from one look to the next.
        goes_on: says before each whether there is one more.

    Raises:
        LabError: the cluster has other trouble, or some at the first look.
        Failure: a look has found one; it is raised when the block ends.
    """

    async def again() -> None:
        while goes_on():
            await asyncio.sleep(every)
            try:
                await look()
            except LabError as trouble:
                if not trouble.transient:
                    raise

    await look()
    looking = asyncio.create_task(again())
    try:
        yield
    finally:
        looking.cancel()
        ended = (await asyncio.gather(looking, return_exceptions=True))[0]
    if isinstance(ended, Exception):
        raise ended
