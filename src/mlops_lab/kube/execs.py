"""Commands in containers, as `kubectl exec` runs them, with stdin and line-wise stdout."""

from __future__ import annotations

import contextlib
import functools
import json
import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, Self

from mlops_lab.base.errors import LabError
from mlops_lab.kube.errors import Unreachable, translated

# The channel that tells how a command ended, of the protocol v4.channel.k8s.io:
# https://kubernetes.io/docs/reference/using-api/websockets/
_STATUS = 3
_OPENS_WITHIN = 10.0  # s, each step of it
_SILENT = 30.0  # s in the middle of a frame, and for one that is sent
_LONGEST = 1 << 20  # bytes of a line, where what is printed has a limit


class Beyond(LabError):
    """A command printed more than it may, or is not done in its time."""


class Unending(Beyond):
    """A command still ran when its time was over."""


class NotStarted(LabError):
    """A command could not be started: its image may not have the program."""


class ExecStream:
    """A running command; leaving the `with` block closes its stdin and the connection."""

    def __init__(self, socket: Any, what: str) -> None:
        self._socket = socket
        self._what = what
        self._status: str | bytes | None = None

    def write(self, text: str) -> None:
        """Send text to the command's stdin."""
        with translated(self._what):
            self._socket.write_stdin(text)

    def lines(self, *, within: float, idle: float = 0.2, most: int | None = None) -> Iterator[str | None]:
        """The command's stdout line by line, without the line ends, until it ends.

        Yields None at least every `idle` seconds without a complete line, so that a caller can do other work.

        Args:
            within: seconds.
            most: bytes that it may print, to each of stdout and stderr; for a command in a container that is not ours.

        Raises:
            Unending: the command still ran after `within` seconds.
            Beyond: it printed more than `most`, or a line of more than 1 MiB.
            Unreachable: the connection was lost.
        """
        end, total, rest = time.monotonic() + within, 0, b""
        while True:
            data, errors = b"", b""
            with translated(self._what), self._closing():
                self._socket.update(timeout=idle)
                data = self._socket.read_stdout(timeout=0) if self._socket.peek_stdout(timeout=0) else b""
                if most is not None:
                    errors = self._socket.peek_stderr(timeout=0)
            total += len(data)
            if most is not None and (max(total, len(errors)) > most or len(rest) > _LONGEST):
                raise Beyond(f"{self._what} printed more than {most / (1 << 20):.3g} MiB", "it was ended")
            if data:
                # A character may have come in two parts, a line's end never does.
                *whole, rest = (rest + data).split(b"\n")
                yield from (line.decode(errors="replace") for line in whole)
            elif not self._socket.is_open():
                if rest:
                    yield rest.decode(errors="replace")
                return
            else:
                self._wake()
                yield None
            if time.monotonic() > end:
                raise Unending(
                    f"{self._what} did not end within {within:g} s", "try again; if it happens again: lab doctor"
                )

    @contextlib.contextmanager
    def _closing(self) -> Iterator[None]:
        """Read what has come.

        An API server that is done says that it closes, and does. The client answers to that, and fails where the
        connection is gone by then; all that was to come has come, and its next look finds the end.
        """
        import websocket

        try:
            yield
        except (websocket.WebSocketException, OSError):
            if self._socket.sock.connected:  # nobody said so
                raise

    def _wake(self) -> None:
        import websocket

        # The client polls the kernel's socket. Two frames may come in one TLS record: the second one is decrypted with
        # the first and waits in the TLS layer, of which poll knows nothing, until more comes: the answer to a ping.
        connection = getattr(self._socket, "sock", None)
        pending = getattr(getattr(connection, "sock", None), "pending", None)
        if connection is not None and pending and pending():
            with contextlib.suppress(websocket.WebSocketException, OSError):  # the next look finds out
                connection.ping()

    def stderr(self) -> str:
        """What the command wrote to stderr so far and was not read yet."""
        said = b""
        with translated(self._what), self._closing():
            said = self._socket.read_stderr(timeout=0) if self._socket.peek_stderr(timeout=0) else b""
        return said.decode(errors="replace")

    @property
    def code(self) -> int | None:
        """The exit code once the command has ended, else None.

        Raises:
            LabError: the command could not be started.
            Unreachable: the connection ended before the command did.
        """
        if self._socket.is_open():
            return None
        if self._status is None:
            self._status = self._socket.read_channel(_STATUS)
        return _exit_code(self._status, self._what)

    def close(self) -> None:
        """Close the connection; the command sees the end of its stdin."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _exit_code(status: str | bytes, what: str) -> int:
    """The exit code that a Status (meta/v1) tells. Raises as `ExecStream.code`."""
    if not status:
        raise Unreachable(f"{what}: the connection ended before the command did", "try again", transient=True)
    said = json.loads(status)
    if said.get("status") == "Success":
        return 0
    for cause in (said.get("details") or {}).get("causes") or []:
        if cause.get("reason") == "ExitCode":
            return int(cause["message"])
    raise NotStarted(f"{what} could not be run: {said.get('message')}", "see whether its image has that program")


@functools.cache
def _limited_websocket() -> type:
    """The websocket of the Kubernetes client, which by itself connects, reads and sends without a limit of time."""
    import websocket

    class Limited(websocket.WebSocket):
        def connect(self, url: str, **options: Any) -> None:
            super().connect(url, timeout=_OPENS_WITHIN, **options)  # type: ignore[no-untyped-call]
            self.settimeout(_SILENT)

    return Limited


def open_exec(
    configuration: Any, pod: str, namespace: str, command: Sequence[str], container: str | None
) -> ExecStream:
    """Start a command in a running container.

    Raises:
        NotFound, Refused, Unreachable: the pod is not there or not running, or the API server did not answer.
    """
    from kubernetes import client
    from kubernetes.stream import stream, ws_client

    ws_client.WebSocket = _limited_websocket()
    what = f"{command[0]} in pod {pod}"
    with translated(what):
        # A client of its own: `stream` swaps the client's request function while it connects.
        api = client.CoreV1Api(client.ApiClient(configuration))
        socket = stream(
            api.connect_get_namespaced_pod_exec,
            pod,
            namespace,
            command=list(command),
            **({"container": container} if container else {}),
            stdin=True,
            stdout=True,
            stderr=True,
            tty=False,
            binary=True,  # of what comes: it would decode each frame by itself
            _preload_content=False,
        )
    return ExecStream(socket, what)
