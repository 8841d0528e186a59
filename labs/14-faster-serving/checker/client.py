"""One client of an HTTP server, for lab 14's crowd: every framing is read, and time and size of an answer are bounded.

It runs in a pod. A connection that was kept and that the server closed meanwhile is opened again once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

LARGEST = 256 << 10  # bytes of an answer; 1000 probabilities take 20 KiB
HEAD = 32 << 10
CHUNK = 100  # bytes of a body that is sent in chunks
NOTHING_WHOLE = "nothing whole within"


class Broken(Exception):
    """What came back is no HTTP answer, or too large."""


class Closed(Exception):
    """The server closed the connection before the first byte of an answer."""


class Client:
    """One client with one connection, which it keeps for as long as the server does."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._open: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, body: bytes, within: float, *, chunked: bool = False) -> tuple[int, bytes]:
        """POST /predict: the status and the body; (0, why) when no whole answer came within so many seconds."""
        framed = in_chunks(body) if chunked else b"Content-Length: %d\r\n\r\n" % len(body) + body
        try:
            async with asyncio.timeout(within):
                reused = self._open is not None
                try:
                    return await self._exchange(framed)
                except (Closed, ConnectionError):
                    self.close()
                    if not reused:
                        raise
                return await self._exchange(framed)
        except TimeoutError:
            self.close()
            return 0, f"{NOTHING_WHOLE} {within:g} s".encode()
        except (OSError, Broken, Closed, asyncio.IncompleteReadError, ValueError) as trouble:
            self.close()
            return 0, f"{type(trouble).__name__} {trouble}"[:200].encode()

    def close(self) -> None:
        """Let go of the connection."""
        if self._open:
            self._open[1].transport.abort()
        self._open = None

    async def _exchange(self, framed: bytes) -> tuple[int, bytes]:
        if self._open is None:
            self._open = await asyncio.open_connection(self._host, self._port, limit=HEAD)
        reader, writer = self._open
        writer.write(
            b"POST /predict HTTP/1.1\r\nHost: %s:%d\r\nContent-Type: application/json\r\n"
            % (self._host.encode(), self._port) + framed
        )  # fmt: skip
        await writer.drain()
        first = await reader.read(1)
        if not first:
            raise Closed("the server closed the connection without an answer")
        try:
            head = (first + await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except asyncio.LimitOverrunError as large:
            raise Broken("headers without an end") from large
        line, *rest = head.split("\r\n")
        words = line.split(" ", 2)
        if len(words) < 2 or not words[0].startswith("HTTP/1.") or not words[1].isdigit():
            raise Broken(f"no HTTP answer: {line[:60]!r}")
        headers = {name.strip().lower(): value.strip() for name, _, value in (each.partition(":") for each in rest)}
        content = await _content(reader, headers)
        if words[0] == "HTTP/1.0" or headers.get("connection", "").lower() == "close" or not _delimited(headers):
            self.close()
        return int(words[1]), content


def in_chunks(body: bytes) -> bytes:
    """A body as a client sends it that does not know its length before: the header, and the chunks."""
    parts = (body[begin : begin + CHUNK] for begin in range(0, len(body), CHUNK))
    return b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(
        b"%x\r\n%s\r\n" % (len(part), part) for part in (*parts, b"")
    )


def _delimited(headers: Mapping[str, str]) -> bool:
    return "content-length" in headers or headers.get("transfer-encoding", "").lower() == "chunked"


async def _content(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        content = b""
        while size := int((await reader.readline()).split(b";")[0], 16):
            if len(content) + size > LARGEST:
                raise Broken(f"an answer of more than {LARGEST >> 10} KiB")
            content += await reader.readexactly(size)
            await reader.readexactly(2)
        while (await reader.readline()).strip():
            pass
        return content
    if "content-length" in headers:
        size = int(headers["content-length"])
        if not 0 <= size <= LARGEST:
            raise Broken(f"an answer of {size} bytes")
        return await reader.readexactly(size)
    content = b""
    while chunk := await reader.read(64 << 10):
        content += chunk
        if len(content) > LARGEST:
            raise Broken(f"an answer of more than {LARGEST >> 10} KiB")
    return content
