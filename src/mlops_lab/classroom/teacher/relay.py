"""A port of this machine that leads to the class's server: for its teacher at 127.0.0.1, for learners where they can
reach this machine.

What passes is TLS between them and the server; nothing of it is read here. When the server's pod is replaced, the next
connection finds the new one: what a client has sent before any answer came is sent again.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import threading
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from mlops_lab.base.errors import LabError
from mlops_lab.cluster.port_forward import PortForward

_MOST = 400  # connections at a time
_FIRST = 64 << 10  # bytes that are kept to be sent again
_PORTION = 64 << 10
_TRIES = 3
_ANSWERS_WITHIN = 20.0  # s until the server says its first byte of TLS
_PAUSE = 0.5


def bound(host: str, port: int) -> socket.socket:
    """A port of this machine, taken.

    Raises:
        LabError: it can't be.
    """
    try:
        family, _, _, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        taken = socket.socket(family, socket.SOCK_STREAM)
    except OSError as unknown:
        raise LabError(f"{host} is no address of this machine: {unknown.strerror}", "see: ip address") from unknown
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(where)
        taken.listen(128)
    except OSError as wrong:
        taken.close()
        hint = (
            "end the program that listens there, or take another port"
            if wrong.errno != errno.EADDRNOTAVAIL
            else "see: ip address"
        )
        raise LabError(f"{host} port {port} can't be listened at: {wrong.strerror}", hint) from wrong
    taken.setblocking(False)
    return taken


class Relay:
    """Passes connections on until it is closed.

    Args:
        listening: takes them.
        forward: leads to the server.
        say: is told when the server could not be reached, and when it can be again.
    """

    def __init__(self, listening: socket.socket, forward: PortForward, say: Callable[[str], None]) -> None:
        self._listening, self._forward, self._say = listening, forward, say
        self._open: set[asyncio.Task[None]] = set()
        self._away = False
        self._ended = asyncio.Event()

    async def run(self) -> None:
        """Pass on until `end`."""
        async with await asyncio.start_server(self._take, sock=self._listening, limit=_FIRST) as server:
            try:
                await self._ended.wait()
            finally:  # from Python 3.12.1 on the end of the block waits for connections, and a page's lasts
                self._ended.set()
                server.close()
                for each in list(self._open):
                    each.cancel()
                await asyncio.gather(*self._open, return_exceptions=True)

    def end(self) -> None:
        """Pass nothing on any more; in the loop's thread."""
        self._ended.set()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        try:
            if len(self._open) < _MOST and not self._ended.is_set():
                self._open.add(task)
                await self._pass(reader, writer)
        except OSError:
            pass  # either side has gone
        except asyncio.CancelledError:  # by `run`, at the end; raised again, Python 3.12.1 would print it
            writer.transport.abort()  # who reads no more keeps nobody waiting
        finally:
            self._open.discard(task)
            writer.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            first = await asyncio.wait_for(reader.read(_FIRST), _ANSWERS_WITHIN)
        except TimeoutError:
            return
        found = await self._reached(first) if first else None
        if found is None:
            return
        there, back, answer = found
        try:
            writer.write(answer)
            await writer.drain()
            ways = [asyncio.create_task(_copy(reader, back)), asyncio.create_task(_copy(there, writer))]
            try:
                await asyncio.gather(*ways)
            finally:
                for each in ways:
                    each.cancel()
        finally:
            back.close()

    async def _reached(self, first: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, bytes] | None:
        """A connection to the server with the beginning of its answer; None if there is none."""
        for again in range(_TRIES):
            if again:
                await asyncio.sleep(_PAUSE * again)
            address, back = "", None
            try:
                address = await asyncio.get_running_loop().run_in_executor(None, self._forward.address)
                parts = urlsplit(address)
                there, back = await asyncio.open_connection(parts.hostname, parts.port)
                back.write(first)
                await back.drain()
                answer = await asyncio.wait_for(there.read(_PORTION), _ANSWERS_WITHIN)
                if answer:
                    if self._away:
                        self._away = False
                        self._say("the class's server is back")
                    return there, back, answer
                why = "it closed the connection"
            except (LabError, OSError, TimeoutError) as trouble:
                why = str(trouble) or "no answer"
            if back:
                back.close()
            self._forward.lost(address)
            self._lost(why)
        return None

    def _lost(self, why: str) -> None:
        if not self._away:
            self._away = True
            self._say(f"the class's server can't be reached ({why}); trying again")


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    """Pass on what comes, until there is no more of it."""
    while portion := await source.read(_PORTION):
        target.write(portion)
        await target.drain()
    with contextlib.suppress(OSError):
        target.write_eof()


@contextlib.contextmanager
def relaying(listening: socket.socket, forward: PortForward, say: Callable[[str], None]) -> Iterator[threading.Event]:
    """Pass on, in a thread, while the block runs; the event is set should that end by itself."""
    loop = asyncio.new_event_loop()
    # Not `Thread.join`: one that Ctrl-C interrupts takes the thread for ended (Python 3.11).
    ready, ended = threading.Event(), threading.Event()
    made: list[Relay] = []

    async def main() -> None:
        made.append(Relay(listening, forward, say))
        ready.set()
        await made[0].run()

    def run() -> None:
        try:
            loop.run_until_complete(main())
        finally:
            ended.set()

    threading.Thread(target=run, name="relay", daemon=True).start()
    ready.wait()
    try:
        yield ended
    finally:
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(made[0].end)
        if ended.wait(10):
            loop.close()
        forward.close()
