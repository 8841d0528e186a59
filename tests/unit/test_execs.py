"""Commands in containers: what comes of them however their connection begins and ends."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import websocket
from kubernetes.client import Configuration
from kubernetes.stream.ws_client import ERROR_CHANNEL

from mlops_lab.base.errors import Failure, LabError
from mlops_lab.checks.rooms.objects import Objects
from mlops_lab.kube import execs
from mlops_lab.kube.errors import NotFound, Refused, Unreachable
from mlops_lab.kube.execs import Beyond, ExecStream, NotStarted, Unending, open_exec

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
        self._came: dict[int, bytes] = {}

    def update(self, timeout: float = 0) -> None:
        if not self._open or not self.sock.connected:
            self._open = False
        elif self._frames:
            channel, text = self._frames.pop(0)
            self._came[channel] = self._came.get(channel, b"") + text.encode()
        else:
            self.sock.connected = not self._closed
            if self._end:
                raise self._end
            self._open = False

    def read_channel(self, channel: int, timeout: float = 0) -> bytes | str:
        self._peek(channel)
        return self._came.pop(channel, "")

    def _peek(self, channel: int) -> bytes | str:
        self.update()
        return self._came.get(channel, "")  # not b"": as the client does

    def peek_stdout(self, timeout: float) -> bytes | str:
        return self._peek(1)

    def read_stdout(self, timeout: float) -> bytes | str:
        return self._came.pop(1, "")

    def peek_stderr(self, timeout: float) -> bytes | str:
        return self._peek(2)

    def read_stderr(self, timeout: float) -> bytes | str:
        return self._came.pop(2, "")

    def is_open(self) -> bool:
        return self._open

    def close(self) -> None:
        self._open = False


def said(client: Client, most: int | None = None) -> tuple[list[str], int | None, str]:
    stream = ExecStream(client, "python3 in pod model-1")
    lines = [line for line in stream.lines(within=5, idle=0, most=most) if line]
    return lines, stream.code, stream.stderr()


@pytest.mark.parametrize("most", [None, 1000])
@pytest.mark.parametrize("end", [None, GONE, BrokenPipeError(), ConnectionResetError()])
def test_a_server_that_is_gone_once_it_has_said_so_has_said_all(end: Exception | None, most: int | None) -> None:
    frames = [(1, "one\ntw"), (2, "oh"), (1, "o"), (ERROR_CHANNEL, json.dumps(SUCCESS))]
    for number in range(2):  # the failing look may be that for more, or that whether there is any
        assert said(Client(*[(0, "")] * number, *frames, end=end), most) == (["one", "two"], 0, "oh")


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
    with pytest.raises(NotStarted, match=r'could not be run: exec: "bash": executable file not found'):
        said(Client((ERROR_CHANNEL, json.dumps(failed))))


class KeptBack:
    """A client of the API that polls the kernel's socket, while the end of a line waits in the TLS layer."""

    def __init__(self) -> None:
        self.sock = SimpleNamespace(sock=SimpleNamespace(pending=lambda: len(self._kept)), ping=self._ping)
        self._read, self._kept, self.pings = b'{"a": 1}', b"\n", 0

    def _ping(self) -> None:
        self.pings += 1
        self._read, self._kept = self._read + self._kept, b""

    def update(self, timeout: float) -> None: ...

    def peek_stdout(self, timeout: float) -> bytes:
        return self._read

    def read_stdout(self, timeout: float) -> bytes:
        read, self._read = self._read, b""
        return read

    def is_open(self) -> bool:
        return True


def test_the_end_of_a_line_that_the_tls_layer_keeps_back_is_asked_for() -> None:
    client = KeptBack()
    lines = (line for line in ExecStream(client, "it").lines(within=5) if line)
    assert next(lines) == '{"a": 1}'
    assert client.pings == 1


class Endless(Client):
    """A command that prints, to one channel, as long as somebody reads; of `seen` bytes so far."""

    def __init__(self, channel: int, text: str) -> None:
        super().__init__()
        self._channel, self._text, self.seen = channel, text.encode(), 0

    def update(self, timeout: float = 0) -> None:
        self._came[self._channel] = self._came.get(self._channel, b"") + self._text
        self.seen += len(self._text)


@pytest.mark.parametrize(("channel", "text"), [(1, "y\n" * 50000), (1, "y" * 100000), (2, "y\n" * 50000)])
def test_what_prints_without_end_is_left_after_what_it_may(channel: int, text: str) -> None:
    client = Endless(channel, text)
    with pytest.raises(Beyond, match="python3 in pod model-1 printed more than 2 MiB"):
        said(client, most=2 << 20)
    assert client.seen < 3 << 20


def test_a_learners_program_that_prints_without_end_is_the_learners() -> None:
    client = Endless(1, "y" * 999 + "\n")
    kube: Any = SimpleNamespace(exec=lambda *_: ExecStream(client, "python3 in pod model-1"))
    with pytest.raises(Failure) as raised:
        asyncio.run(Objects(kube, "lab-04").run_in("model-1", "python3", "-c", "print(1)"))
    assert raised.value.expected == "python3 in pod model-1 prints a few lines"
    assert raised.value.seen == "python3 in pod model-1 printed more than 4 MiB"
    assert client.seen < 5 << 20 and not client.is_open()


@pytest.mark.parametrize("most", [None, 1000])
def test_a_command_that_goes_on_for_too_long_is_told_from_one_that_prints_too_much(most: int | None) -> None:
    client = Client(*[(0, "")] * 10**4)
    with pytest.raises(Unending, match=r"did not end within 0\.01 s"):
        list(ExecStream(client, "sleep in pod model-1").lines(within=0.01, idle=0, most=most))


@contextlib.contextmanager
def server(answer: Callable[[socket.socket, str], object]) -> Iterator[Configuration]:
    """An API server that answers one request, of which it gets the websocket's key, and then waits."""
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                head = b""
                while b"\r\n\r\n" not in head:
                    head += connection.recv(1 << 16)
                (key,) = (each for each in head.decode().splitlines() if each.lower().startswith("sec-websocket-key:"))
                answer(connection, key.split()[1])
                done.wait(10)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        configuration = Configuration()
        configuration.host = f"http://127.0.0.1:{listening.getsockname()[1]}"
        yield configuration
        done.set()
        thread.join()


def refusing(status: int, body: str) -> Callable[[socket.socket, str], object]:
    text = f"HTTP/1.1 {status} Reason\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
    return lambda connection, key: connection.sendall(text)


def taking(*frames: bytes) -> Callable[[socket.socket, str], object]:
    """Takes the connection, and sends frames as they are."""

    def answer(connection: socket.socket, key: str) -> None:
        accept = base64.b64encode(hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()).decode()
        connection.sendall(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
        )
        for frame in frames:
            connection.sendall(frame)

    return answer


def framed(channel: int, text: bytes) -> bytes:
    return bytes([0x82, len(text) + 1, channel]) + text


def opened(configuration: Configuration) -> ExecStream:
    return open_exec(configuration, "model-1", "lab-04", ["ls"], None)


STATUS = {"kind": "Status", "message": 'pods "model-1" not found', "code": 404}


@pytest.mark.parametrize(
    ("status", "body", "kind", "transient", "message"),
    [
        (404, json.dumps(STATUS), NotFound, False, 'ls in pod model-1: pods "model-1" not found'),
        (403, "", Refused, False, "ls in pod model-1: Reason"),
        (429, "", Refused, True, "ls in pod model-1: Reason"),
        (500, 'container not found ("server")\n', Refused, True, 'ls in pod model-1: container not found ("server")'),
        (503, "<html>busy</html>", Unreachable, True, "ls in pod model-1: Reason"),
    ],
)
def test_an_exec_that_is_refused_says_why(
    status: int, body: str, kind: type[LabError], transient: bool, message: str
) -> None:
    with server(refusing(status, body)) as configuration, pytest.raises(LabError) as raised:
        opened(configuration)
    assert (type(raised.value), raised.value.message, raised.value.transient) == (kind, message, transient)
    assert not isinstance(raised.value, Refused) or raised.value.status == status


def test_a_server_that_leaves_or_is_not_there_may_be_back_in_a_moment() -> None:
    leaving = server(lambda connection, key: connection.shutdown(socket.SHUT_RDWR))
    with leaving as configuration, pytest.raises(Unreachable) as left:
        opened(configuration)
    with pytest.raises(Unreachable) as gone:
        opened(configuration)
    assert (left.value.transient, gone.value.transient) == (True, True)


def test_a_server_that_says_nothing_has_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execs, "_OPENS_WITHIN", 0.3)
    monkeypatch.setattr(execs, "_SILENT", 0.3)
    began = time.monotonic()
    with server(lambda connection, key: None) as configuration, pytest.raises(Unreachable, match="timed out"):
        opened(configuration)
    half = framed(1, b"one\n")[:-2]
    with server(taking(half)) as configuration, opened(configuration) as stream, pytest.raises(Unreachable):
        list(stream.lines(within=5))
    assert time.monotonic() - began < 5


def test_a_character_that_comes_in_two_frames_is_one() -> None:
    word = "größe\n".encode()
    frames = [
        framed(1, word[:3]),
        framed(1, word[3:]),
        framed(2, b"oh"),
        framed(ERROR_CHANNEL, json.dumps(SUCCESS).encode()),
    ]
    with server(taking(*frames, b"\x88\x02\x03\xe8")) as configuration, opened(configuration) as stream:
        assert [line for line in stream.lines(within=5, most=1000) if line] == ["größe"]
        assert (stream.code, stream.stderr()) == (0, "oh")
