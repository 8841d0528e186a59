"""Waiting with a limit; when the limit is reached, the error says the last state seen."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from mlops_lab.base.errors import LabError

T = TypeVar("T")


def wait_until(
    probe: Callable[[], tuple[T | None, str]],
    *,
    what: str,
    within: float,
    hint: str,
    every: float = 0.5,
) -> T:
    """Call `probe` until it yields a value.

    Args:
        probe: returns `(value, state)`; a value of None means not yet, and `state` says in words what was seen.
        what: what is waited for, for the error message.
        within: limit in seconds.
        hint: what the user should do when the limit runs out.
        every: seconds between two probes.

    Raises:
        LabError: the limit ran out; the message carries the last state seen.
    """
    end = time.monotonic() + within
    while True:
        value, state = probe()
        if value is not None:
            return value
        if time.monotonic() + every > end:
            raise LabError(f"{what}: not within {within:g} s; last seen: {state}", hint)
        time.sleep(every)
