"""Single requests by the load generator's pod: one program there asks for all who ask here, side by side.

Starting a program in a container takes more CPU time than a request does, and a check that waits for something asks
again and again. The program ends when nobody has asked for a while, so no connection grows old.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import queue
import threading
import weakref
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from typing import Any

from mlops_lab.base.errors import LabError
from mlops_lab.kube.client import Kube
from mlops_lab.measure.traffic import load_generator

# s beyond the request's own time: a busy machine starts programs slowly
_MARGIN = 15.0
_IDLE = 20.0  # s without a question after which the program is ended
_LISTENS = 0.02  # s for which an answer is waited for before the next question is sent
_DAY = 86400.0

Said = dict[str, Any]


class Asking:
    """The questions of one connection to a cluster; one thread sends them and hands the answers out.

    Args:
        kube: the cluster.
        idle: s without a question after which the program is ended.
    """

    def __init__(self, kube: Kube, idle: float = _IDLE) -> None:
        self._kube, self._idle = kube, idle
        self._numbers = itertools.count(1)
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._open: dict[int, Future[Said]] = {}
        self._lock = threading.Lock()
        self._runs = False

    def ask(self, spec: Mapping[str, Any], *, within: float) -> Said:
        """Send a request, and wait for what came of it.

        Args:
            spec: as `load ask` takes it.
            within: seconds for the answer; a server that does not answer in time is told of by the program itself.

        Raises:
            LabError: the request could not be sent, or nothing was heard of it.
        """
        answer: Future[Said] = Future()
        with self._lock:
            number = next(self._numbers)
            self._open[number] = answer
            self._lines.put(json.dumps({**spec, "number": number}) + "\n")
            if not self._runs:
                self._runs = True
                threading.Thread(target=self._run, name="asking", daemon=True).start()
        try:
            said = answer.result(within + _MARGIN)
        except TimeoutError:
            raise LabError(
                f"the load generator was silent for {within + _MARGIN:g} s: the API server or its node does not answer",
                "see what is wrong with the cluster: lab status",
            ) from None
        finally:
            with self._lock:
                self._open.pop(number, None)
        if said["refused"]:
            raise LabError(f"the load generator refused a request: {said['refused']}", "lab doctor")
        return said

    def _run(self) -> None:
        trouble: BaseException = LabError(
            "the load generator reported nothing about a request", "try again; if it happens again: lab doctor"
        )
        try:
            with load_generator.start(self._kube, "ask") as stream:
                if self._talk(stream):
                    return
        except BaseException as broken:
            trouble = broken
        with self._lock:
            self._runs = False
            waiting, self._open = self._open, {}
            with contextlib.suppress(queue.Empty):
                while True:
                    self._lines.get_nowait()
        for answer in waiting.values():
            answer.set_exception(trouble)

    def _talk(self, stream: Any) -> bool:
        """Send what is asked and hand out what is answered, until nobody has asked for a while.

        Returns:
            False if the program ended before. After True another thread may be at work already.
        """
        said = load_generator.messages(stream, within=_DAY, silent=_DAY, idle=_LISTENS)
        while True:
            for line in self._asked():
                stream.write(line)
            if not self._open:
                try:
                    stream.write(self._lines.get(timeout=self._idle))
                except queue.Empty:
                    with self._lock:
                        if self._lines.empty():
                            self._runs = False
                            return True
                continue
            try:
                message = next(said)
            except StopIteration:
                return False
            if message:
                with self._lock:
                    answer = self._open.pop(message["number"], None)
                if answer:  # nobody waits any longer for one that came too late
                    answer.set_result(message)

    def _asked(self) -> Iterator[str]:
        """The questions that have not been sent, without waiting for more."""
        with contextlib.suppress(queue.Empty):
            while True:
                yield self._lines.get_nowait()


# While a thread asks it holds its `Asking`; one that asks no more goes, and its connection with it.
_all: weakref.WeakValueDictionary[Kube, Asking] = weakref.WeakValueDictionary()
_all_lock = threading.Lock()


def asking(kube: Kube) -> Asking:
    """Who asks for a connection; there is one for each."""
    with _all_lock:
        if (found := _all.get(kube)) is None:
            found = _all[kube] = Asking(kube)
        return found
