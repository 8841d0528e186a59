"""Progress whose view stays fresh as long as any piece of work runs, as commands at a terminal want it.

It is no part of `Progress` since that is in the content of every lab's proof, and a change there renews them all.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import TextIO

from mlops_lab.base.progress import Progress


class LiveProgress(Progress):
    """Progress that needs no `showing` around its pieces; where one is, it adds how much time is left.

    Safe to call from several threads, also when their pieces begin and end in any order.
    """

    def __init__(self, stream: TextIO | None = None, every: float = 30) -> None:
        super().__init__(stream, every)
        self._entering = threading.Lock()
        self._users = 0
        self._view = contextlib.ExitStack()
        self._estimate: Callable[[], float | None] = lambda: None

    @contextlib.contextmanager
    def piece(self, name: str) -> Iterator[None]:
        with self._fresh(), super().piece(name):
            yield

    @contextlib.contextmanager
    def showing(self, left: Callable[[], float | None]) -> Iterator[None]:
        before, self._estimate = self._estimate, left
        try:
            with self._fresh():
                yield
        finally:
            self._estimate = before

    @contextlib.contextmanager
    def _fresh(self) -> Iterator[None]:
        """The view is painted again and again from the first that enters this until the last that leaves it."""
        with self._entering:
            if not self._users:
                self._view.enter_context(super().showing(lambda: self._estimate()))
            self._users += 1
        try:
            yield
        finally:
            with self._entering:
                self._users -= 1
                if not self._users:
                    self._view.close()
