"""Long work on several tasks at the same time, as its progress is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from mlops_lab.base.progress import Progress

T = TypeVar("T")
# Tasks that are made, or taken away, at the same time.
AT_ONCE = 6


def side_by_side(work: Iterable[tuple[str, Callable[[T], None], T]]) -> None:
    """Do pieces of work, a few at once, and say how they go on.

    Args:
        work: of each its name, and a function with its argument.

    Raises:
        LabError: the first of those that the pieces raised; the others are done nevertheless.
    """
    progress = Progress()

    def piece(name: str, function: Callable[[T], None], argument: T) -> None:
        with progress.piece(name):
            function(argument)

    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="exam") as pool, progress.showing(lambda: None):
        under = [pool.submit(piece, *each) for each in work]
        try:
            found = [each.exception() for each in under]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    if trouble := next((each for each in found if each is not None), None):
        raise trouble
