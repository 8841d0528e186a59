"""The process that a learner's program runs in: takes the judge's messages, and gives back what came of each.

The driver is a module of the checker's that imports the learner's program and has a function `answer(message)`, which
returns what JSON can hold. It is imported once; each run gets a fork. Nothing that is said here is a verdict: the judge
knows what is right, and has its own limits for whatever this process does. Only the standard library is needed.
"""

from __future__ import annotations

import importlib
import json
import os
import pickle
import resource
import socket
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

LARGEST_FILE = 16 << 20  # bytes
LINES, WIDTH = 4, 160  # of a traceback, and characters of each


class Connection:
    """The judge's messages, each after its length, and answers as lines of JSON."""

    def __init__(self, number: int) -> None:
        self._socket = socket.socket(fileno=number)

    def message(self) -> Any:
        """The next one; the end of the process when there is none any more."""
        return pickle.loads(self._whole(int.from_bytes(self._whole(4), "big")))

    def answer(self, what: dict[str, Any]) -> None:
        """Send an answer."""
        self._socket.sendall(json.dumps(what).encode() + b"\n")

    def _whole(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            more = self._socket.recv(size - len(data))
            if not more:
                sys.exit()
            data += more
        return bytes(data)


def described(trouble: BaseException, folder: Path) -> dict[str, Any]:
    """An exception in a few words, and where in the learner's files it came from."""
    text = " ".join("".join(traceback.format_exception_only(trouble)).strip().splitlines()[-1:])
    lines = [
        f"{Path(frame.filename).name}, line {frame.lineno}, in {frame.name}: {frame.line}"[:WIDTH]
        for frame in traceback.extract_tb(trouble.__traceback__)
        if Path(frame.filename).parent == folder
    ]
    if isinstance(trouble, SyntaxError):
        place = f"{Path(trouble.filename or '').name}, line {trouble.lineno}"
        lines.append(f"{place}: {(trouble.text or '').strip()}"[:WIDTH])
    return {"raised": (text or type(trouble).__name__)[:300], "lines": lines[-LINES:]}


def limit(kind: int, most: int) -> None:
    """Set a limit that can't be raised again."""
    resource.setrlimit(kind, (most, most))


def serve(connection: Connection, answer: Callable[[Any], dict[str, Any]], folder: Path) -> None:
    """Answer until the judge sends None, or an exception comes."""
    while (message := connection.message()) is not None:
        try:
            said = answer(message)
        except BaseException as trouble:  # sys.exit() too
            connection.answer(described(trouble, folder))
            return
        connection.answer(said)


def main(number: int, driver: str, memory: int) -> None:
    """Import the driver, then fork for each run.

    Args:
        number: of the socket to the judge.
        driver: the module's name.
        memory: bytes of data; more raises MemoryError, rather than ending the whole pod.
    """
    connection, folder = Connection(number), Path.cwd()
    sys.path.insert(0, str(folder))
    limit(resource.RLIMIT_DATA, memory)
    limit(resource.RLIMIT_FSIZE, LARGEST_FILE)
    limit(resource.RLIMIT_CORE, 0)
    try:
        answer = importlib.import_module(driver).answer
    except BaseException as trouble:
        connection.answer(described(trouble, folder))
        return
    connection.answer({"ready": True})
    while True:
        seconds = connection.message()
        child = os.fork()
        if child == 0:
            try:
                if seconds is not None:
                    limit(resource.RLIMIT_CPU, seconds)
                connection.answer({"pid": os.getpid()})
                serve(connection, answer, folder)
            finally:
                os._exit(0)
        _, status = os.waitpid(child, 0)
        connection.answer({"ended": os.waitstatus_to_exitcode(status)})
