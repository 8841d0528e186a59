"""Metrics for Prometheus. None of them names a learner."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from sqlalchemy import Connection, func, select

from mlops_lab.classroom.chain import Record
from mlops_lab.classroom.server.book import Cell
from mlops_lab.classroom.server.schema import STATES, learners, submissions
from mlops_lab.classroom.server.sessions import now

_SECONDS = (5, 10, 20, 40, 60, 90, 120, 180, 300, 600, 1200)
_ANSWERED = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


@dataclass(frozen=True)
class Stand:
    """What the database says now."""

    learners: int = 0
    submissions: dict[tuple[str, str], int] = field(default_factory=dict)  # by lab and state
    oldest: float = 0.0  # s that the oldest one waits


def stand(connection: Connection) -> Stand:
    """Count learners and submissions."""
    counted = select(submissions.c.lab, submissions.c.state, func.count()).group_by(
        submissions.c.lab, submissions.c.state
    )
    enrolled = select(func.count()).select_from(learners).where(~learners.c.gone)
    first = connection.execute(
        select(submissions.c.at).where(submissions.c.state == "waiting").order_by(submissions.c.id)
    )
    oldest = first.scalars().first()
    return Stand(
        connection.execute(enrolled).scalar_one(),
        {(lab, state): count for lab, state, count in connection.execute(counted)},
        max(0.0, (now() - oldest).total_seconds()) if oldest else 0.0,
    )


class Meters:
    """All metrics of one server."""

    def __init__(self) -> None:
        self._registry = own = CollectorRegistry()
        self.requests = Counter("classroom_http_requests", "Answered requests.", ["part", "code"], registry=own)
        self.answered = Histogram(
            "classroom_http_request_duration_seconds", "Until a request was answered.", ["part"], buckets=_ANSWERED,
            registry=own,
        )  # fmt: skip
        self.lost = Counter("classroom_graders_lost", "Graders that were heard of no more.", registry=own)
        self._graded = Counter("classroom_results", "Signed results.", ["lab", "passed"], registry=own)
        self._checks = Counter("classroom_checks", "Verdicts of checks.", ["lab", "check", "verdict"], registry=own)
        self._took = Histogram(
            "classroom_grading_seconds", "What checks took.", ["lab"], buckets=_SECONDS, registry=own
        )
        self._database = Gauge("classroom_database_up", "Does the database answer?", registry=own)
        self._whole = Gauge("classroom_records_whole", "Is the chain of records as it was signed?", registry=own)
        self._learners = Gauge("classroom_learners", "Learners on the roster.", registry=own)
        self._submissions = Gauge("classroom_submissions", "Submissions by state.", ["lab", "state"], registry=own)
        self._oldest = Gauge("classroom_queue_oldest_seconds", "How long the oldest waits.", registry=own)
        self._passed = Gauge("classroom_learners_passed", "Learners with full marks.", ["lab"], registry=own)
        self._stuck = Gauge(
            "classroom_learners_stuck", "Learners whose newest submissions fail this check first.", ["lab", "check"],
            registry=own,
        )  # fmt: skip

    def graded(self, record: Record) -> None:
        """A result was signed."""
        self._graded.labels(record.lab, str(record.passed).lower()).inc()
        self._took.labels(record.lab).observe(record.seconds)
        for each in record.checks:
            self._checks.labels(record.lab, each.check, each.verdict).inc()

    def text(self, found: Stand | None, cells: Iterable[Cell], labs: Iterable[str], *, whole: bool) -> bytes:
        """All of it in Prometheus' own form.

        Args:
            found: None while the database does not answer.
            whole: the chain is.
        """
        self._database.set(found is not None)
        self._whole.set(whole)
        if found is not None:
            self._learners.set(found.learners)
            self._oldest.set(found.oldest)
            for lab in labs:
                for state in STATES:
                    self._submissions.labels(lab, state).set(found.submissions.get((lab, state), 0))
        self._stuck.clear()
        passed = dict.fromkeys(labs, 0)
        for cell in cells:
            if cell.passed:
                passed[cell.lab] = passed.get(cell.lab, 0) + 1
            elif cell.stuck:
                self._stuck.labels(cell.lab, cell.stuck).inc()
        for lab, count in passed.items():
            self._passed.labels(lab).set(count)
        return generate_latest(self._registry)
