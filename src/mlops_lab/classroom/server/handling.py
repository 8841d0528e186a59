"""What every handler does alike: limits on what is sent, headers, errors in the form of the API, and counting."""

from __future__ import annotations

import contextlib
import math
import tempfile
from typing import Any, NoReturn

import msgspec
from tornado.http1connection import HTTP1Connection
from tornado.web import HTTPError

from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.base.web import LogsBugs
from mlops_lab.classroom.server import people
from mlops_lab.classroom.server.database import RETRY, Away
from mlops_lab.classroom.server.people import Known
from mlops_lab.classroom.server.queue import Full, Stale
from mlops_lab.classroom.server.records import Broken
from mlops_lab.classroom.server.service import Service
from mlops_lab.classroom.server.sessions import now

HEARD = 32 << 20  # bytes that are heard out and thrown away, so that who sends too much gets the answer
IN_TIME = 120.0  # s for a whole body
_IN_MEMORY = 256 << 10
_KNOWN = 2000  # tokens that worked lately


class Refused(HTTPError):
    """An answer that says what to do next.

    Args:
        retry: seconds after which it may be asked again; 0: it makes no difference.
    """

    def __init__(self, status: int, message: str, hint: str, retry: float = 0) -> None:
        super().__init__(status)
        self.message, self.hint, self.retry = message, hint, retry


class Handler(LogsBugs):
    """A handler of this server.

    Attributes:
        part: what its requests are counted as.
    """

    part = "page"

    @property
    def service(self) -> Service:
        """The class."""
        found: Service = self.settings["service"]
        return found

    def set_default_headers(self) -> None:
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cache-Control", "no-store")
        self.set_header("Referrer-Policy", "same-origin")
        self.clear_header("Server")

    def on_finish(self) -> None:
        """Count it."""
        self.service.meters.requests.labels(self.part, str(self.get_status())).inc()
        self.service.meters.answered.labels(self.part).observe(self.request.request_time())

    def refusal(self, error: BaseException | None) -> Refused:
        """Any error as an answer; a bug says nothing of itself."""
        if isinstance(error, Refused):
            return error
        if isinstance(error, Full):
            return Refused(429, error.message, error.hint, 60)
        if isinstance(error, Stale):
            return Refused(409, error.message, error.hint)
        if isinstance(error, Broken):
            return Refused(503, "no result can be signed now", "the teacher sees why; nothing is lost", 300)
        if isinstance(error, Away):
            return Refused(503, error.message, error.hint, RETRY)
        if isinstance(error, UsageError):
            return Refused(400, error.message, error.hint)
        if isinstance(error, LabError) and error.transient:
            return Refused(503, error.message, error.hint, RETRY)
        if isinstance(error, LabError):
            return Refused(500, error.message, error.hint)
        if isinstance(error, HTTPError):
            return Refused(error.status_code, self._reason, "see docs/class.md")
        return Refused(500, "the server has a fault", "its log says which; try again")


class Api(Handler):
    """For programs: JSON, a token in the header, nothing that a browser adds of its own accord."""

    part = "api"
    largest = 64 << 10  # bytes of a body

    def initialize(self) -> None:
        self._body = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 (closed in on_finish or on_connection_close)
        self.size = 0
        self._refused: Exception | None = None

    async def prepare(self) -> None:
        """Refuse what is too large by its own word, and whoever may not ask, before the body comes."""
        connection = self.request.connection
        if isinstance(connection, HTTP1Connection):
            connection.set_max_body_size(HEARD)
            connection.set_body_timeout(IN_TIME)
        told = self.request.headers.get("Content-Length", "")
        # What is no number tornado refuses when it reads the body; of many digits the first ones tell enough.
        size = int(told[:15]) if told.isascii() and told.isdigit() else 0
        try:
            await self.allow()
            if size > self.largest:
                self._too_large()
        except (Refused, LabError) as refused:
            if size > HEARD or not (size or "Transfer-Encoding" in self.request.headers):
                raise
            # An answer before the body is read would break the connection of who still sends.
            self._refused = refused
            setattr(self, (self.request.method or "").lower(), self._refuse)

    async def allow(self) -> None:
        """Let it ask.

        Raises:
            Refused: it may not.
        """

    def data_received(self, chunk: bytes) -> None:
        """Keep what comes, up to the limit."""
        self.size += len(chunk)
        if self.size <= self.largest and not self._refused and not self._finished:
            self._body.write(chunk)

    async def _refuse(self, *_: str) -> None:
        assert self._refused
        raise self._refused

    def body(self) -> bytes:
        """All that was sent.

        Raises:
            Refused: it was too much.
        """
        if self.size > self.largest:
            self._too_large()
        self._body.seek(0)
        return self._body.read()

    def json(self, shape: Any) -> Any:
        """The body as an object of that form.

        Raises:
            Refused: it is none.
        """
        try:
            return msgspec.json.decode(self.body() or b"{}", type=shape)
        except (ValueError, RecursionError) as wrong:
            raise Refused(400, f"the body is not as it should be: {wrong}", "see docs/class.md") from wrong

    def give(self, value: Any, status: int = 200) -> None:
        """Answer with JSON."""
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        self.finish(msgspec.json.encode(value))

    def bearer(self) -> str:
        """The token of the header."""
        kind, _, token = self.request.headers.get("Authorization", "").partition(" ")
        return token.strip() if kind.lower() == "bearer" else ""

    def on_finish(self) -> None:
        super().on_finish()
        self._body.close()

    def on_connection_close(self) -> None:
        """The sender has gone. Nobody reads a body that is not whole, and `on_finish` does not come for it."""
        coming = getattr(self.request, "_body_future", None)  # tornado's; only those who take a body by and by have it
        broken = coming is not None and not coming.done()
        super().on_connection_close()  # ends the wait for the rest
        if broken:
            self._body.close()

    def write_error(self, status_code: int, **given: Any) -> None:
        """The error as JSON."""
        told = self.refusal((given.get("exc_info") or (None, None, None))[1])
        self.set_status(told.status_code)
        if told.retry:
            self.set_header("Retry-After", str(math.ceil(told.retry)))
        if told.status_code == 401:
            self.set_header("WWW-Authenticate", "Bearer")
        self.set_header("Content-Type", "application/json")
        self.finish(msgspec.json.encode({"error": told.message, "next": told.hint}))

    def _too_large(self) -> NoReturn:
        most = f"{self.largest >> 20} MiB" if self.largest >= 1 << 20 else f"{self.largest >> 10} KiB"
        raise Refused(413, f"what you send is larger than {most}", "send less")


async def whose(service: Service, token: str, address: str) -> Known | None:
    """Whose token it is; None for a wrong one.

    A right one gets in whatever others have sent from its address, which may be that of a whole class behind a proxy.
    For an address that sends wrong ones, the database is asked for one after the other.

    Raises:
        Refused: it is wrong, and too many wrong ones have come from that address.
    """
    name, good = people.hashed(token), service.worked
    in_turn = name not in good and service.wrong.wait(address) > 0
    async with service.doubtful if in_turn else contextlib.nullcontext():
        found = await service.run(people.known, token, now()) if token else None
    if found is None:
        good.pop(name, None)
        if wait := service.wrong.take(address):
            raise Refused(429, "too many wrong tokens came from your address", f"wait {math.ceil(wait)} s", wait)
        return None
    good[name] = None
    good.move_to_end(name)
    while len(good) > _KNOWN:
        good.popitem(last=False)
    return found


class OfLearner(Api):
    """What a learner asks, with the token of the kit."""

    async def allow(self) -> None:
        found = await whose(self.service, self.bearer(), self.request.remote_ip or "")
        if found is None:
            raise Refused(401, "your token is not known, or it has ended", "ask your teacher for a new file")
        self.known = found
        if wait := self.service.asking.take(self.known.learner):
            raise Refused(429, "you ask too often", f"wait {math.ceil(wait)} s", wait)


class OfOne(Api):
    """What only who has one certain token may ask."""

    async def allow(self) -> None:
        if not people.same(self.bearer(), self.token()):
            raise Refused(401, "the token is not the right one", "use the one that the class was made with")

    def token(self) -> str:
        """The token."""
        raise NotImplementedError


class Nothing(Api):
    """What there is nothing at."""

    async def allow(self) -> None:
        raise Refused(404, "there is nothing here", "see docs/class.md")
