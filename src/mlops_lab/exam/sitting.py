"""A sitting: begun, gone on with after whatever has happened, looked at, and cleared."""

from __future__ import annotations

import contextlib
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.exam import drawing
from mlops_lab.exam.choice import QUICK_MINUTES
from mlops_lab.exam.clock import Clock, Now, now, spelled
from mlops_lab.exam.side_by_side import side_by_side
from mlops_lab.exam.stage import Clusters, Stage
from mlops_lab.exam.state import Seat, Sitting, Store, around, workspace
from mlops_lab.labs.keeping import NotEmptied, keep
from mlops_lab.tasks.rendering import Rendered
from mlops_lab.tasks.task import Task

_SEEDS = 1_000_000  # to draw one from where none is given


@dataclass(frozen=True)
class Look:
    """A look at a sitting that is under way.

    Attributes:
        left: seconds; 0 or less when the time is over.
        trouble: why the cluster does not answer; the clock stands meanwhile.
        given: seconds that this look has given back.
    """

    sitting: Sitting
    left: float
    trouble: str = ""
    given: float = 0.0


class Exams:
    """What can be done with sittings.

    Args:
        stage: the clusters.
        say: is told in a line what the candidate should know.
        moment: the clock.
    """

    def __init__(
        self,
        stage: Stage | None = None,
        store: Store | None = None,
        say: Callable[[str], None] = lambda text: None,
        moment: Callable[[], Now] = now,
    ) -> None:
        self.stage: Stage = stage or Clusters()
        self.store = store or Store()
        self.say = say
        self.moment = moment

    def start(
        self,
        exam: str,
        bank: Sequence[Task],
        *,
        minutes: int = drawing.MINUTES,
        seed: int | None = None,
        practice: bool = False,
        quick: bool = False,
        only: Sequence[str] = (),
    ) -> Sitting:
        """Draw an exam, make its tasks on the cluster, and let the clock run.

        Args:
            only: just these tasks, in the time that they should take.

        Raises:
            UsageError: an exam is under way, or the bank can't fill this one.
            LabError: the cluster does not answer, or something can't be made; `resume` goes on.
        """
        if found := self.store.open():
            raise UsageError(under_way(found), go_on(found))
        seed = secrets.randbelow(_SEEDS) if seed is None else seed
        seats = drawing.seats(exam, bank, minutes, seed, quick=quick, only=only)
        minutes = sum(seat.minutes for seat in seats) if only else QUICK_MINUTES if quick else minutes
        known = {task.name: task for task in bank}
        with self.store.work():
            if found := self.store.open():  # made by another command meanwhile
                raise UsageError(under_way(found), go_on(found))
            number = self.store.unused()
            cluster = self.stage.identity()
            self.stage.installed([known[seat.task] for seat in seats])
            self._empty()
            drawing.names(seats, bank, self.store.tasks(number), self.stage.taken)
            sitting = Sitting(
                number, exam, seed, minutes, drawing.content(bank), Clock(minutes * 60.0), practice,
                quick or bool(only), cluster,
                seats=seats,
            )  # fmt: skip
            self.store.save(sitting)
            try:
                return self._stand(sitting, cluster)
            except LabError as trouble:
                hint = f"{trouble.hint}; then go on: lab exam resume"
                raise LabError(trouble.message, hint, trouble.detail) from trouble

    def resume(self) -> Sitting:
        """Make what of an exam is not on the cluster (any more), and go on. The time that this takes does not count,
        also where it ends in an error.

        Raises:
            UsageError: there is no exam, or it is handed in.
            LabError: something can't be made.
        """
        with self.store.work():
            sitting = self.required()
            cluster = self.stage.identity()
            self._look(sitting.number)
            with self._uncounted(sitting.number):
                self._stand(self.store.load(sitting.number), cluster, again=True)
            return self.store.load(sitting.number)

    def required(self, *, graded: bool = False) -> Sitting:
        """The exam under way.

        Args:
            graded: also one that is handed in, or given up and not cleared away yet.

        Raises:
            UsageError: there is none, or it is handed in or given up.
        """
        found = self.store.open()
        if found is None:
            last = self.store.numbers()[-1:]
            graded_before = last and self.store.load(last[0]).phase == "ended"
            after = f"; exam {last[0]} is graded (lab exam sheet)" if graded_before else ""
            raise UsageError(f"no exam is under way{after}", "begin one: lab exam start cka, ckad or mlops")
        if found.phase in ("grading", "clearing", "stopping") and not graded:
            raise UsageError(under_way(found), go_on(found))
        return found

    def look(self) -> Look:
        """The exam under way, and its clock as of now.

        Raises:
            UsageError: there is none, it is not ready, or it is handed in.
        """
        sitting = self.required()
        if sitting.phase == "preparing":
            raise UsageError(under_way(sitting), "make the rest of it: lab exam resume; or give it up: lab exam stop")
        return self._look(sitting.number)

    def _look(self, number: int) -> Look:
        trouble = self.stage.trouble()
        with self.store.change(number) as sitting:
            given = 0.0
            if sitting.phase == "running":
                given = sitting.clock.look(self.moment(), down=bool(trouble))
        if given >= 1:
            self.say(f"the cluster did not answer; {spelled(given)} are given back")
        if trouble:
            self.say(f"the cluster does not answer ({trouble}), and the clock stands until a command sees that it does")
        return Look(sitting, sitting.clock.left, trouble, given)

    @contextlib.contextmanager
    def _uncounted(self, number: int) -> Iterator[None]:
        """Give back what counts while the block runs, whoever looks at the clock meanwhile."""
        before, well = self.store.load(number).clock.used, False
        try:
            yield
            well = True
        finally:
            down = not well and bool(self.stage.trouble())
            with self.store.change(number) as sitting:
                if sitting.phase == "running":
                    sitting.clock.look(self.moment(), down=down)
                    sitting.clock.give_back(max(sitting.clock.used - before, 0.0))

    def _stand(self, sitting: Sitting, cluster: str, *, again: bool = False) -> Sitting:
        """Make what does not stand, then let the clock run."""
        known = {seat.number: self.store.rendered(sitting, seat) for seat in sitting.seats}
        self.stage.make([each.task for each in known.values()])
        moved = cluster != sitting.cluster
        if moved:
            self.say("the cluster is another one than that on which the exam stood; its tasks are made anew")
            with self.store.change(sitting.number) as sitting:
                sitting.cluster = cluster
                for seat in sitting.seats:
                    seat.stands = False
        lacking = [seat for seat in sitting.seats if not seat.stands or not self.stage.there(known[seat.number])]

        def made(seat: Seat) -> None:
            if again and not moved:  # what a killed command has half made, or the candidate has deleted
                self.stage.remove(known[seat.number], workspace(seat), stood=seat.stands)
            self.stage.begin(known[seat.number], workspace(seat))
            with self.store.change(sitting.number) as changed:
                changed.seat(seat.number).stands = True

        side_by_side([(f"task {seat.number}: {seat.title}", made, seat) for seat in lacking])
        with self.store.change(sitting.number) as ready:
            if ready.phase == "preparing":
                ready.phase, ready.begun = "running", datetime.now(UTC).isoformat(timespec="seconds")
                ready.clock.begin(self.moment())
        return ready

    def clear(self, sitting: Sitting, *, leave: bool = False) -> tuple[Path | None, list[str]]:
        """Take away all that an exam has on the cluster, and empty its workspaces.

        Args:
            leave: what does not go stays, and the rest goes all the same; of a cluster that does not answer, all.

        Returns:
            The dated copy of the workspaces, and in words what could not be taken away.

        Raises:
            LabError: the cluster does not answer, and what is on it is not to be left.
        """
        left: list[str] = []
        every: list[tuple[Seat, Rendered]] = []
        for seat in sitting.seats:
            try:
                every.append((seat, self.store.rendered(sitting, seat)))
            except LabError as lost:
                left.append(f"task {seat.number}: {lost.message}")
        without = bool(left)
        # What was broken on a cluster of the exam's own needs no mending: all of it goes.
        known = [entry for entry in every if not self.stage.goes(entry[1].task)]
        silent: list[str] = []
        try:
            there = self.stage.identity() == sitting.cluster
        except LabError as trouble:
            if not leave:
                hint = f"{trouble.hint}; or leave on it what is there: lab exam stop --leave"
                raise LabError(trouble.message, hint, trouble.detail) from trouble
            there, silent = False, [f"all that is on the cluster, which does not answer ({trouble.message})"]
        if sitting.phase != "clearing":  # from here on nobody can go on with it
            with self.store.change(sitting.number) as given_up:
                given_up.phase = "stopping"
        if not there:  # what stood on it is gone with it, or is left
            self._end([rendered.task for _, rendered in every if self.stage.goes(rendered.task)], silent, lost=without)
            return self._kept(silent), silent

        def gone(entry: tuple[Seat, Rendered]) -> None:
            try:
                self.stage.remove(entry[1], workspace(entry[0]), stood=entry[0].stands)
            except LabError as trouble:
                left.append(f"task {entry[0].number}: {trouble.message}")

        side_by_side([(f"task {entry[0].number} goes", gone, entry) for entry in known])
        stay = bool(left) and not leave  # the next try needs what these stand on
        ends = [each.task for _, each in every if not stay or self.stage.goes(each.task)]
        self._end(ends, left, lost=without, addons=without and not stay)
        return self._kept(left), left

    def _end(self, tasks: Sequence[Task], left: list[str], *, lost: bool, addons: bool = False) -> None:
        """Take away what was made for these tasks; what of that does not go is added to what is left.

        Args:
            lost: there are others, of which nothing is known any more.
            addons: these may have had add-ons, which go as well.
        """
        try:
            self.stage.end(tasks, lost=lost, addons=addons)
        except LabError as trouble:
            left.append(f"{trouble.brief} (next: {trouble.hint})")

    def _kept(self, left: list[str]) -> Path | None:
        """The dated copy of the workspaces, which are empty then; what of that does not go is added to what is left."""
        try:
            return keep(around())
        except LabError as trouble:
            left.append(f"{trouble.message} (next: {trouble.hint})")
            return trouble.kept if isinstance(trouble, NotEmptied) else None

    def stop(self, *, leave: bool = False) -> Path | None:
        """Give the exam up: it is not graded, and all of it goes; returns the copy of the workspaces.

        Args:
            leave: what does not go stays, and is said.

        Raises:
            UsageError: there is none.
            LabError: the cluster does not answer, or something does not go; the next call continues.
        """
        with self.store.work():
            sitting = self.required(graded=True)
            return self.end(sitting, "ended" if sitting.phase == "clearing" else "stopped", leave=leave)

    def end(self, sitting: Sitting, how: str, *, leave: bool = False) -> Path | None:
        """Clear an exam, and close it; arguments and errors as `stop`."""
        kept, left = self.clear(sitting, leave=leave)
        if left and not leave:
            where = f"; your files are in {kept}" if kept else ""
            raise LabError(
                f"not all of the exam could be taken away: {'; '.join(left)}{where}",
                "try again: lab exam stop; or leave it there: lab exam stop --leave",
                f"your files are in {kept}" if kept else "",
            )
        for each in left:
            self.say(f"left there: {each}")
        with self.store.change(sitting.number) as ended:
            ended.phase = "ended" if how == "ended" else "stopped"
        shutil.rmtree(self.store.tasks(sitting.number), ignore_errors=True)
        return kept

    def note(self, sitting: Sitting, number: int, text: str) -> Seat:
        """Keep a note at a task; an empty one takes it away.

        Raises:
            UsageError: there is no such task, or it is no text.
        """
        try:
            text.encode()
        except UnicodeEncodeError as broken:
            raise UsageError(
                "the note has bytes that are not UTF-8", f"write it without them: lab exam note {number} TEXT"
            ) from broken
        with self.store.change(sitting.number) as changed:
            changed.seat(number).note = text
        return changed.seat(number)

    def flag(self, sitting: Sitting, number: int) -> Seat:
        """Flag a task to come back to, or take the flag away."""
        with self.store.change(sitting.number) as changed:
            seat = changed.seat(number)
            seat.flagged = not seat.flagged
        return seat

    def show(self, sitting: Sitting, number: int) -> Seat:
        """Note that a task is the one at work."""
        with self.store.change(sitting.number) as changed:
            changed.current = changed.seat(number).number
        return changed.seat(number)

    def text(self, sitting: Sitting, seat: Seat) -> str:
        """A task's text, in Markdown."""
        return (self.store.rendered(sitting, seat).folder / "README.md").read_text(encoding="utf-8")

    def _empty(self) -> None:
        """Workspaces of an exam before that was not cleared are kept."""
        if kept := keep(around()):
            self.say(f"what was in {around()} is now in {kept}")


def under_way(sitting: Sitting) -> str:
    """How far an exam is, in words."""
    how = {
        "preparing": "is being made",
        "running": f"is under way, {spelled(sitting.clock.left)} were left at the last look",
        "grading": "is handed in, and not graded yet",
        "clearing": "is graded, and not cleared away yet",
        "stopping": "is given up, and not cleared away yet",
        "ended": "is over",
        "stopped": "was given up",
    }
    return f"exam {sitting.number} ({sitting.exam}) {how[sitting.phase]}"


def go_on(sitting: Sitting) -> str:
    """What to do with an exam, or after it."""
    if sitting.phase in ("ended", "stopped"):
        return "begin another one: lab exam start cka, ckad or mlops"
    if sitting.phase in ("grading", "clearing"):
        return "go on with that: lab exam submit"
    if sitting.phase == "stopping":
        return "go on with that: lab exam stop"
    return "go on with it: lab exam resume; hand it in: lab exam submit; give it up: lab exam stop"
