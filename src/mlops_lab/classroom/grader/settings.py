"""What the chart tells the dispatcher."""

from __future__ import annotations

import functools
from pathlib import Path

import msgspec

from mlops_lab.base.errors import UsageError
from mlops_lab.classroom.gradable import closed, table
from mlops_lab.classroom.operator.settings import Settings as Walls
from mlops_lab.labs import parts
from mlops_lab.labs.catalog import about, exercises, resolve


class Settings(Walls, forbid_unknown_fields=True, frozen=True):
    """The file `settings.json` of the chart: the operator's, whose walls a sandbox has, too, and more.

    Attributes:
        server: the class's server inside of the cluster.
        checker: the digest of the image that grades, as it stands in each record.
        image: that image, by the name that the cluster knows.
        places: how many submissions are graded at a time.
        job_cpu, job_memory: what a Job requests for its own pod: of these a queue's room is made.
        limit_seconds: for one grading.
        parts: parts of the platform that submissions may use; one at a time does.
        pull_secrets: to pull the image with.
    """

    server: str = ""
    checker: str = ""
    image: str = ""
    places: int = 1
    job_cpu: str = "100m"
    job_memory: str = "256Mi"
    limit_seconds: float = 3000
    parts: list[str] = msgspec.field(default_factory=list)
    pull_secrets: list[str] = msgspec.field(default_factory=list)

    @property
    def jobs(self) -> str:
        """The namespace of the Jobs: no work of a learner's is ever in it."""
        return f"{self.namespace}-grading"


def read(file: Path) -> Settings:
    """The settings in a file.

    Raises:
        UsageError: it can't be read, or something in it is wrong or unknown.
    """
    try:
        found = msgspec.json.decode(file.read_bytes(), type=Settings)
    except (OSError, msgspec.MsgspecError) as wrong:
        raise UsageError(
            f"{file} is not what the chart writes: {wrong}", "install chart and image of one version"
        ) from wrong
    if not (found.server and found.checker and found.image) or found.places < 1:
        raise UsageError(f"{file} names no server, image or checker, or no place", "install the chart again")
    return found


def gradable(settings: Settings) -> list[str]:
    """The labs that are graded: standing on parts of the platform that are there for it, and where learners share this
    cluster not by files alone.
    """
    found, shared = [], bool(settings.address)
    for exercise in exercises():
        grading = table().get(exercise.number)
        if grading is None or not grading.graded(shared=shared):
            continue
        if settings.labs and exercise.number not in settings.labs:
            continue
        if not closed(parts.needed(about(exercise).needs), settings.parts):
            found.append(exercise.number)
    return found


@functools.cache
def needs(lab: str) -> tuple[str, ...]:
    """What a lab stands on, by its number."""
    return about(resolve(lab)).needs


@functools.cache
def alone(lab: str) -> bool:
    """Is a lab graded while nothing else is: it measures the whole machine, or shares a part that has no walls?"""
    return about(resolve(lab)).quiet or bool(closed(parts.needed(needs(lab)), ()))
