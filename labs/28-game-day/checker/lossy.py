"""A way to the ground on which answers get lost: what was posted has come, and whoever posted it is not told.

Runs in a pod of the checker's, with the standard library alone.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading

FIRST, WAYS = 8084, 12  # the ports' first one, and how many: a Service leads to each as often as to a pod
LOST = 3  # answers
POSTED = (b"POST ", b"PUT ", b"PATCH ")
TAKEN = re.compile(rb"HTTP/1\.[01] 2")
BYTES = 65536


class Lossy:
    """Goes between the edge and the ground, and keeps the first answers to what was posted; all else goes through.

    Attributes:
        ports: where it listens.
        lost: how many answers it has kept since it last began.
    """

    def __init__(self, first: int = FIRST) -> None:
        self.lost = 0
        self._ground: tuple[str, int] | None = None
        self._lock, self._open = threading.Lock(), set[socket.socket]()
        listening = [socket.create_server(("", first and first + number), backlog=64) for number in range(WAYS)]
        self.ports = [each.getsockname()[1] for each in listening]
        for each in listening:
            threading.Thread(target=self._accept, args=(each,), daemon=True).start()

    def lead(self, ground: tuple[str, int] | None) -> int:
        """Lead to an address and port from now on, or nowhere: then all that is open is closed.

        Returns:
            How many answers were lost before.
        """
        with self._lock:
            before, self._ground = self.lost, ground
            if ground:
                self.lost = 0
            for each in () if ground else self._open:
                _shut(each)
            return before

    def _accept(self, listening: socket.socket) -> None:
        while True:
            client, _ = listening.accept()
            threading.Thread(target=self._between, args=(client,), daemon=True).start()

    def _between(self, client: socket.socket) -> None:
        """Pass on what a connection brings, in both ways, until one of them ends or an answer gets lost."""
        ground = self._ground
        with client, contextlib.suppress(OSError):
            if not ground:
                return
            with socket.create_connection(ground, timeout=5) as server:
                server.settimeout(None)
                with self._lock:
                    if not self._ground:
                        return
                    self._open |= {client, server}
                posted = threading.Event()
                threading.Thread(target=_up, args=(client, server, posted), daemon=True).start()
                try:
                    self._down(server, client, posted)
                finally:
                    with self._lock:
                        self._open -= {client, server}
                    _shut(client)
                    _shut(server)

    def _down(self, server: socket.socket, client: socket.socket, posted: threading.Event) -> None:
        while piece := server.recv(BYTES):
            if posted.is_set() and TAKEN.match(piece) and self._loses():
                return
            client.sendall(piece)

    def _loses(self) -> bool:
        """Does an answer get lost now? It is counted then."""
        with self._lock:
            loses = self.lost < LOST
            self.lost += loses
            return loses


def _up(client: socket.socket, server: socket.socket, posted: threading.Event) -> None:
    with contextlib.suppress(OSError):
        while piece := client.recv(BYTES):
            if piece.startswith(POSTED):
                posted.set()
            server.sendall(piece)
        server.shutdown(socket.SHUT_WR)


def _shut(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
