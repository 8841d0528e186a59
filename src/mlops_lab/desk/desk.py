"""The desk: all places, and what is known of the learner."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from mlops_lab.desk.exam import Current
from mlops_lab.desk.labs import Cluster, Known, LabPlace
from mlops_lab.desk.live import Channel
from mlops_lab.desk.place import Place
from mlops_lab.desk.sitting import Sitting
from mlops_lab.learner.path import Course
from mlops_lab.learner.records import Records


class Desk:
    """One desk.

    Args:
        course: the labs; what is recorded is read anew for each page.
        sitting: the exam that runs, or was graded last; None if there is none. It is called often, so it is quick, and
            gives the same object as long as it is the same exam.
    """

    def __init__(
        self, course: Course, records: Records, cluster: Cluster, sitting: Callable[[], Sitting | None] = lambda: None
    ) -> None:
        self._course, self._records = course, records
        self.home = Channel()
        self.exam = Current(sitting, self._changed)
        self._following: asyncio.Task[None] | None = None
        self.labs = {
            f"labs/{each.number}": LabPlace(
                Known(each, course.abouts[each.number], course.checks[each.number]), records, cluster, self._changed
            )
            for each in course.labs
        }

    def course(self) -> Course:
        """The labs and the records as of now; takes some milliseconds."""
        return replace(self._course, progress=self._records.progress(), kept=self._records.attempts())

    def place(self, key: str) -> Place | None:
        """The place of a key, such as `labs/04`; None if there is none."""
        kind, _, name = key.partition("/")
        if kind == "exam" and name.isdecimal() and (exam := self.exam.get()):
            return exam.tasks.get(int(name))
        return self.labs.get(key)

    def channel(self, *names: str) -> Channel | None:
        """What a page listens to, by its address."""
        if names == ("home",):
            return self.home
        if names == ("exam",):
            return self.exam.get()
        return self.place("/".join(names))

    def begin(self) -> None:
        """Follow the exam; in the server's loop."""
        self._following = asyncio.create_task(self.exam.follow())

    def at_work(self) -> list[str]:
        """What goes on and is not broken off at the end, in words: labs that start, an exam that is graded, say."""
        exam = self.exam.known
        places = [*self.labs.values(), *(exam.tasks.values() if exam else ())]
        found = [f"{place.facts[0]}: {place.busy}" for place in places if place.busy]
        return [*found, "the exam: grading it"] if exam and exam.grading else found

    async def end(self) -> None:
        """End what runs."""
        if self._following:
            self._following.cancel()
        await asyncio.gather(*(place.end() for place in self.labs.values()))

    def _changed(self) -> None:
        self.home.tell({"kind": "changed"})
