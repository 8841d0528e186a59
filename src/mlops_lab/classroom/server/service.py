"""What all handlers stand on: the database in threads, the chain, the gradebook, who listens, and what goes on beside.

One process serves a class. Nothing that must outlive it is kept here.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import Connection, select

from mlops_lab.base.errors import LabError
from mlops_lab.classroom import roster
from mlops_lab.classroom.server import limits, people, queue
from mlops_lab.classroom.server.book import Book
from mlops_lab.classroom.server.cluster import Cluster
from mlops_lab.classroom.server.database import CONNECTIONS, Away, Database
from mlops_lab.classroom.server.kept import Kept
from mlops_lab.classroom.server.live import Hub
from mlops_lab.classroom.server.metrics import Meters
from mlops_lab.classroom.server.records import Broken, Ledger, genuine
from mlops_lab.classroom.server.schema import GRADING, klass
from mlops_lab.classroom.server.settings import Settings

if TYPE_CHECKING:
    from mlops_lab.classroom.server.platforms import Platforms

LEASE = 180.0  # s without a word, after which a grader is held for dead
_LOOK = 5.0  # s between two looks at graders and the roster
_AUDIT = 1800.0  # s between two audits of the whole chain
_TIDY = 60.0  # s between two removals of what is over
_MOST_WAITING = 200  # calls of the database at once

Answer = TypeVar("Answer")
_log = logging.getLogger(__name__)


class Service:
    """One class, as it is served.

    Args:
        settings: what the server was told.
        database: need not answer yet.
        clock: the seconds that pass; no clock that can be set.
    """

    def __init__(
        self, settings: Settings, database: Database, ledger: Ledger, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.settings, self.database, self.ledger = settings, database, ledger
        self.book, self.hub, self.meters = Book(settings.klass.due), Hub(), Meters()
        self.kept = Kept(self.run)
        self.platforms: Platforms | None = None  # `server` sets it, where learning platforms lead here
        self.submitting = limits.Limiter(limits.SUBMITTING)
        self.asking = limits.Limiter(limits.ASKING)
        self.wrong = limits.Limiter(limits.WRONG_TOKENS)
        self.worked: OrderedDict[str, None] = OrderedDict()  # hashes of tokens that did lately
        self.uploads: dict[str, int] = {}  # learners who are sending, and how many
        self.large = asyncio.Semaphore(1)  # for what takes much memory
        self.doubtful = asyncio.Semaphore(1)  # for tokens from where wrong ones come
        self.secret = b""  # what sessions are signed with; from the database
        self.broken = ""  # what an audit of the chain has found
        self.cluster = Cluster(settings.namespace) if settings.namespace else None
        self._clock, self._heard = clock, dict[int, float]()
        self._looked, self._missed = clock(), False  # when graders were looked at last, and was one look missed since
        self._pool = ThreadPoolExecutor(CONNECTIONS, "database")
        self._calls = 0
        self._tasks: list[asyncio.Task[None]] = []
        self._roster_of = (0, 0)

    @property
    def ready(self) -> bool:
        """Was the database there, with its schema made and its chain of records checked?"""
        return bool(self.secret)

    async def run(self, function: Callable[..., Answer], *given: object, **more: object) -> Answer:
        """Call a function in a transaction of its own, with the connection first.

        Raises:
            Away: the database does not answer, or too many ask it.
        """
        if not self.ready:
            raise Away("the server has just started")
        return await self._run(function, *given, **more)

    async def work(self, function: Callable[..., Answer], *given: object) -> Answer:
        """Call a function that takes a while and asks no database."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, *given)

    def heard(self, submission: int) -> None:
        """The grader of a submission lives."""
        self._heard[submission] = self._clock()

    async def graded(self) -> None:
        """Something was signed: take it into the gradebook, and tell who listens."""
        for record in await self.run(self.book.read_on):
            if not genuine(record, self.ledger.key):
                self._not_whole(f"record {record.sequence} was not signed by this class's key")
            self.ledger.signed(record)
            self.meters.graded(record)
            self.hub.tell("result", record.learner, record.lab)
        if self.platforms:
            self.platforms.news()

    def moved(self, learner: str, lab: str) -> None:
        """A submission came, was taken or went back."""
        self.hub.tell("queue", learner, lab)

    async def look(self) -> None:
        """Give back what dead graders have, and take a roster that has changed.

        While the database is away no grader can be heard, so that time counts for none as silence.
        """
        try:
            working = await self.run(queue.in_work)
        except Away:
            self._missed = True
            raise
        now = self._clock()
        deaf = now - self._looked if self._missed else 0.0
        self._looked, self._missed = now, False
        self._heard = {row.id: min(self._heard.get(row.id, now) + deaf, now) for row in working}
        for row in working:
            if now - self._heard.get(row.id, now) <= LEASE:  # it may have been heard of since this began
                continue
            why = f"nothing was heard of the grader for {LEASE:g} s"
            if await self.run(queue.give_back, row.id, why, tries=row.tries) == GRADING:
                continue  # another grader has it by now
            self._heard.pop(row.id, None)
            self.meters.lost.inc()
            self.moved(row.learner, row.lab)
        await self._enrol()

    async def audit(self) -> None:
        """Check the whole chain; until it is whole, nothing is signed."""
        try:
            await self._run(self.ledger.audit)
            self.broken = ""
        except Broken as found:
            self._not_whole(found.message)

    def begin(self) -> None:
        """Wait for the database, then do what is done beside requests; in the server's loop."""
        self._tasks = [asyncio.create_task(self._live())]
        if self.platforms:
            self._tasks.append(asyncio.create_task(self.platforms.live()))

    async def end(self) -> None:
        """End it."""
        self.ledger.ends = True
        for each in self._tasks:
            each.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.hub.close()
        self._pool.shutdown(cancel_futures=True)
        if self.cluster:
            self.cluster.close()
        self.database.close()

    async def settle(self) -> None:
        """Bring the database to the server's schema, and read and check what is in it; then the server is ready."""
        await asyncio.get_running_loop().run_in_executor(self._pool, self.database.settle)
        secret = await self._run(_secret)
        await self._run(self.book.read_on)
        await self.audit()
        self.secret = secret
        if self.platforms:
            self.platforms.news()
        await self._enrol()

    async def _live(self) -> None:
        while not self.ready:
            await self.patiently(self.settle)
            await asyncio.sleep(0 if self.ready else 1)
        audited = tidied = self._clock()
        while True:
            await self.patiently(self.look)
            if self._clock() - audited > _AUDIT:
                audited = self._clock()
                await self.patiently(self.audit)
            if self._clock() - tidied > _TIDY:
                tidied = self._clock()
                await self.patiently(self.kept.tidy)
            await asyncio.sleep(_LOOK)

    async def patiently(self, what: Callable[[], Awaitable[None]]) -> None:
        """Do it, and if the environment is not well, say so and go on."""
        try:
            await what()
        except LabError as trouble:
            _log.warning("%s; next: %s %s", trouble.message, trouble.hint, trouble.detail)
        except Exception:
            _log.exception("what is done beside requests has failed, and is tried again")

    async def _run(self, function: Callable[..., Answer], *given: object, **more: object) -> Answer:
        if self._calls >= _MOST_WAITING:
            raise Away("too many ask it at once")

        def call() -> Answer:
            with self.database.transaction() as connection:
                return function(connection, *given, **more)

        self._calls += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, call)
        finally:
            self._calls -= 1

    async def _enrol(self) -> None:
        file = self.settings.roster
        if file is None:
            return
        with contextlib.suppress(FileNotFoundError):
            status = file.stat()
            changed = (status.st_mtime_ns, status.st_size)  # two writes may bear one moment
            if changed != self._roster_of:
                await self.run(people.enrol, roster.read(file))
                self._roster_of = changed
                self.hub.tell("roster")

    def _not_whole(self, what: str) -> None:
        self.broken = what
        _log.error("the chain of records is not whole: %s", what)


def _secret(connection: Connection) -> bytes:
    return str(connection.execute(select(klass.c.secret)).scalar_one()).encode()
