"""Commands in containers: what comes of them however their connection ends."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
import websocket
from kubernetes.stream.ws_client import ERROR_CHANNEL

from mlops_lab.base.errors import LabError
from mlops_lab.kube.errors import Unreachable
from mlops_lab.kube.execs import ExecStream

SUCCESS = {"status": "Success", "metadata": {}}
LOST = websocket.WebSocketConnectionClosedException("Connection to remote host was lost.")
# What the client raises where it answers to the server's word that it closes, and the server is gone.
GONE = websocket.WebSocketConnectionClosedException("socket is already closed.")


class Client:
    """The Kubernetes client's websocket, which has read some frames when it fails, or comes to the close.

    Args:
        frames: channel and text of each, as they come: one for each look.
        end: what the look after the last one raises; None for a close as it should be.
        closed: whether the server has said that it closes.
    """

    def __init__(self, *frames: tuple[int, str], end: Exception | None = None, closed: bool = True) -> None:
        self.sock = SimpleNamespace(connected=True)
        self._frames, self._end, self._closed, self._open = list(frames), end, closed, True
        self._came: dict[int, str] = {}

    def update(self, timeout: float = 0) -> None:
        if not self._open or not self.sock.connected:
            self._open = False
        elif self._frames:
            channel, text = self._frames.pop(0)
            self._came[channel] = self._came.get(channel, "") + text
        else:
            self.sock.connected = not self._closed
            if self._end:
                raise self._end
            self._open = False

    def read_channel(self, channel: int, timeout: float = 0) -> str:
        self._peek(channel)
        return self._came.pop(channel, "")

    def _peek(self, channel: int) -> str:
        self.update()
        return self._came.get(channel, "")

    def peek_stdout(self, timeout: float) -> str:
        return self._peek(1)

    def read_stdout(self, timeout: float) -> str:
        return self._came.pop(1, "")

    def peek_stderr(self, timeout: float) -> str:
        return self._peek(2)

    def read_stderr(self, timeout: float) -> str:
        return self._came.pop(2, "")

    def is_open(self) -> bool:
        return self._open


def said(client: Client) -> tuple[list[str], int | None, str]:
    stream = ExecStream(client, "python3 in pod model-1")
    lines = [line for line in stream.lines(within=5, idle=0) if line]
    return lines, stream.code, stream.stderr()


@pytest.mark.parametrize("end", [None, GONE, BrokenPipeError(), ConnectionResetError()])
def test_a_server_that_is_gone_once_it_has_said_so_has_said_all(end: Exception | None) -> None:
    frames = [(1, "one\ntw"), (2, "oh"), (1, "o"), (ERROR_CHANNEL, json.dumps(SUCCESS))]
    for number in range(2):  # the failing look may be that for more, or that whether there is any
        assert said(Client(*[(0, "")] * number, *frames, end=end)) == (["one", "two"], 0, "oh")


def test_a_connection_that_is_lost_is_no_end() -> None:
    with pytest.raises(Unreachable, match=r"python3 in pod model-1: .* does not answer"):
        said(Client((1, "one\n"), end=LOST, closed=False))
    with pytest.raises(Unreachable, match="ended before the command did"):
        said(Client((1, "one\n")))


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (SUCCESS, 0),
        ({"status": "Failure", "reason": "NonZeroExitCode", "details": {"causes": [
            {"reason": "ExitCode", "message": "137"}]}}, 137),
    ],
)  # fmt: skip
def test_the_exit_code_is_the_commands(status: Any, code: int) -> None:
    stream = ExecStream(Client((ERROR_CHANNEL, json.dumps(status))), "it")
    assert stream.code is None
    assert list(stream.lines(within=5)) is not None and [stream.code, stream.code] == [code, code]


def test_a_program_that_is_not_there_is_told_as_the_server_tells_it() -> None:
    failed = {"status": "Failure", "reason": "InternalError", "message": 'exec: "bash": executable file not found'}
    with pytest.raises(LabError, match=r'could not be run: exec: "bash": executable file not found'):
        said(Client((ERROR_CHANNEL, json.dumps(failed))))


class KeptBack:
    """A client of the API that polls the kernel's socket, while the end of a line waits in the TLS layer."""

    def __init__(self) -> None:
        self.sock = SimpleNamespace(sock=SimpleNamespace(pending=lambda: len(self._kept)), ping=self._ping)
        self._read, self._kept, self.pings = '{"a": 1}', "\n", 0

    def _ping(self) -> None:
        self.pings += 1
        self._read, self._kept = self._read + self._kept, ""

    def update(self, timeout: float) -> None: ...

    def peek_stdout(self, timeout: float) -> str:
        return self._read

    def read_stdout(self, timeout: float) -> str:
        read, self._read = self._read, ""
        return read

    def is_open(self) -> bool:
        return True


def test_the_end_of_a_line_that_the_tls_layer_keeps_back_is_asked_for() -> None:
    client = KeptBack()
    lines = (line for line in ExecStream(client, "it").lines(within=5) if line)
    assert next(lines) == '{"a": 1}'
    assert client.pings == 1
