"""Commands in containers, as `kubectl exec` runs them, with stdin and line-wise stdout."""

from __future__ import annotations

import contextlib
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


class ExecStream:
    """A running command; leaving the `with` block closes its stdin and the connection."""

    def __init__(self, socket: Any, what: str) -> None:
        self._socket = socket
        self._what = what
        self._status: str | None = None

    def write(self, text: str) -> None:
        """Send text to the command's stdin."""
        with translated(self._what):
            self._socket.write_stdin(text)

    def lines(self, *, within: float, idle: float = 0.2) -> Iterator[str | None]:
        """The command's stdout line by line, without the line ends, until it ends.

        Yields None at least every `idle` seconds without a complete line, so that a caller can do other work.

        Raises:
            LabError: the command still ran after `within` seconds.
            Unreachable: the connection was lost.
        """
        end = time.monotonic() + within
        rest = ""
        while True:
            data = ""
            with translated(self._what), self._closing():
                self._socket.update(timeout=idle)
                data = self._socket.read_stdout(timeout=0) if self._socket.peek_stdout(timeout=0) else ""
            if data:
                *whole, rest = (rest + data).split("\n")
                yield from whole
            elif not self._socket.is_open():
                if rest:
                    yield rest
                return
            else:
                self._wake()
                yield None
            if time.monotonic() > end:
                raise LabError(
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
        with translated(self._what), self._closing():
            return str(self._socket.read_stderr(timeout=0) if self._socket.peek_stderr(timeout=0) else "")
        return ""

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
            self._status = str(self._socket.read_channel(_STATUS))
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


def _exit_code(status: str, what: str) -> int:
    """The exit code that a Status (meta/v1) tells. Raises as `ExecStream.code`."""
    if not status:
        raise Unreachable(f"{what}: the connection ended before the command did", "try again", transient=True)
    said = json.loads(status)
    if said.get("status") == "Success":
        return 0
    for cause in (said.get("details") or {}).get("causes") or []:
        if cause.get("reason") == "ExitCode":
            return int(cause["message"])
    raise LabError(f"{what} could not be run: {said.get('message')}", "see whether its image has that program")


def open_exec(
    configuration: Any, pod: str, namespace: str, command: Sequence[str], container: str | None
) -> ExecStream:
    """Start a command in a running container.

    Raises:
        NotFound, Refused, Unreachable: the pod is not there or not running, or the API server did not answer.
    """
    from kubernetes import client
    from kubernetes.stream import stream

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
            _preload_content=False,
            _request_timeout=10,
        )
    return ExecStream(socket, what)
