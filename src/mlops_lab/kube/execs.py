"""Commands in containers, as `kubectl exec` runs them, with stdin and line-wise stdout."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, Self

from mlops_lab.base.errors import LabError
from mlops_lab.kube.errors import translated


class ExecStream:
    """A running command; leaving the `with` block closes its stdin and the connection."""

    def __init__(self, socket: Any, what: str) -> None:
        self._socket = socket
        self._what = what

    def write(self, text: str) -> None:
        """Send text to the command's stdin."""
        with translated(self._what):
            self._socket.write_stdin(text)

    def lines(self, *, within: float, idle: float = 0.2) -> Iterator[str | None]:
        """The command's stdout line by line, without the line ends, until it ends.

        Yields None at least every `idle` seconds without a complete line, so that a caller can do other work.

        Raises:
            LabError: the command still ran after `within` seconds.
        """
        end = time.monotonic() + within
        rest = ""
        while True:
            with translated(self._what):
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

    def _wake(self) -> None:
        # The client polls the kernel's socket. Two frames may come in one TLS record: the second one is decrypted with
        # the first and waits in the TLS layer, of which poll knows nothing, until more comes: the answer to a ping.
        connection = getattr(self._socket, "sock", None)
        pending = getattr(getattr(connection, "sock", None), "pending", None)
        if connection is not None and pending and pending():
            with translated(self._what):
                connection.ping()

    def stderr(self) -> str:
        """What the command wrote to stderr so far and was not read yet."""
        return str(self._socket.read_stderr(timeout=0) if self._socket.peek_stderr(timeout=0) else "")

    @property
    def code(self) -> int | None:
        """The exit code once the command has ended, else None."""
        return None if self._socket.is_open() else self._socket.returncode

    def close(self) -> None:
        """Close the connection; the command sees the end of its stdin."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


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
