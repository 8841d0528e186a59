"""Several things done side by side, of which the first failure ends the rest."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any


async def together(*work: Awaitable[Any]) -> list[Any]:
    """Do all of it side by side; what fails first ends the rest, and is raised once they have put back what they did.

    Returns:
        What each gave, in their order.
    """
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            if not task.cancelling():  # a second time would cut off what it puts back
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
