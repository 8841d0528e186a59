"""`python -m mlops_lab.classroom.grader SETTINGS ALIVE`: the dispatcher; runs in a pod until it gets SIGTERM."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path

from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.classroom.api_server import addresses
from mlops_lab.classroom.grader import settings
from mlops_lab.classroom.grader.asking import Server
from mlops_lab.classroom.grader.dispatcher import Dispatcher, base
from mlops_lab.classroom.grader.grading import log
from mlops_lab.classroom.grader.kubelets import ways
from mlops_lab.kube.inside import connect_inside

_LOOK_EVERY = 300.0  # s after which what all Jobs need is made anew, should it be gone
_BUSY, _IDLE = 2.0, 5.0  # s between two rounds


def run(dispatcher: Dispatcher, alive: Path, stop: threading.Event, certificate: str) -> None:
    """One round after the other until `stop`; the file is touched after each that went well, or had known trouble."""
    looked = float("-inf")
    while not stop.is_set():
        wait = _IDLE
        try:
            if time.monotonic() - looked > _LOOK_EVERY:
                reached = (*dispatcher.api(), *ways(dispatcher.kube))
                base(dispatcher.kube, dispatcher.settings, certificate, reached)
                looked = time.monotonic()
            wait = _BUSY if dispatcher.round() else _IDLE
        except LabError as trouble:
            log(f"waits: {trouble.message}; {trouble.hint}")
        alive.touch()
        stop.wait(wait)


def main() -> int:
    """Run the dispatcher; the exit code is an error's own."""
    stop = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: stop.set())
    try:
        kube, told = connect_inside(), settings.read(Path(sys.argv[1]))
        file = Path(os.environ.get("CLASS_CERTIFICATE") or "/nothing")
        certificate = file if file.is_file() else None
        token, secret = (_secret(name) for name in ("CLASS_GRADER_TOKEN_FILE", "CLASS_SEED_FILE"))
        dispatcher = Dispatcher(
            kube, told, Server(told.server, token, certificate),
            lambda own: Server(told.server, own, certificate), secret, socket.gethostname(), log,
            lambda: addresses(kube),
        )  # fmt: skip
        run(dispatcher, Path(sys.argv[2]), stop, certificate.read_text("utf-8") if certificate else "")
    except LabError as trouble:
        log(f"{trouble.message}; {trouble.hint}")
        return int(trouble.exit_code)
    return 0


def _secret(name: str) -> str:
    try:
        return Path(os.environ[name]).read_text("utf-8").strip()
    except (KeyError, OSError) as missing:
        raise UsageError(f"{name} names no file that can be read: {missing}", "install the chart again") from missing


if __name__ == "__main__":
    sys.exit(main())
