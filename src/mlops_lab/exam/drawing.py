"""Drawing an exam: which tasks, what each is worth, and with which names; the same seed draws the same everywhere.

Nothing here depends on the order of a set, a hash of Python's, or the machine. Only where a name is taken on the
cluster already, another one is drawn.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from pathlib import Path
from random import Random

from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.exam.choice import QUICK_MINUTES, QUICK_TASKS, Offer, choose, choose_few, missing, scaled
from mlops_lab.exam.state import Seat
from mlops_lab.tasks.clusters import can_stand
from mlops_lab.tasks.drawing import words
from mlops_lab.tasks.rendering import render
from mlops_lab.tasks.standing import outside
from mlops_lab.tasks.task import EXAMS, Task

MINUTES = 120
_WORDS = 80  # that there are for namespaces
_TRIES = 100  # draws of a task whose objects have names that are taken
_MAY_WORK = range(15, 241, 5)  # minutes of exams that are tried where those that were asked for don't work

Taken = Callable[[str, str], bool]


def offers(exam: str, bank: Sequence[Task]) -> list[Offer]:
    """The tasks that may be drawn for an exam."""
    return [
        Offer(each.name, each.about.exams[exam], each.about.weight, each.about.minutes, frozenset(each.about.claims))
        for each in sorted(bank, key=lambda task: task.name)
        if exam in each.about.exams and can_stand(each)
    ]


def seats(
    exam: str, bank: Sequence[Task], minutes: int, seed: int, *, quick: bool = False, only: Sequence[str] = ()
) -> list[Seat]:
    """The tasks of an exam with their weights, in its order; their namespaces and own seeds are not drawn yet.

    Args:
        quick: four tasks of different domains in 25 minutes.
        only: just these tasks.

    Raises:
        UsageError: there is no such exam or task, or the bank can't fill it; says what is missing.
    """
    if exam not in EXAMS:
        raise UsageError(f"there is no exam {exam!r}", f"there are {', '.join(EXAMS)}")
    if only:
        return _seats(_named(exam, bank, only), bank, seed)
    have, random = offers(exam, bank), Random(f"{seed} {exam} {'quick' if quick else minutes}")
    if quick:
        chosen = choose_few(have, QUICK_TASKS, QUICK_MINUTES, random)
        lacks = f"no {QUICK_TASKS} of its {len(have)} tasks are of different domains and fill {QUICK_MINUTES} minutes"
    else:
        chosen = choose(have, EXAMS[exam], minutes, random)
        lacks = "" if chosen else missing(have, EXAMS[exam], minutes)
    if not chosen:
        raise UsageError(
            f"the bank can't fill an exam {exam} of {QUICK_MINUTES if quick else minutes} minutes: {lacks}",
            "see what the bank has: lab exam tasks" if quick else _instead(exam, have, minutes),
        )
    return _seats(chosen, bank, seed)


def _named(exam: str, bank: Sequence[Task], names: Sequence[str]) -> list[Offer]:
    """Offers by their names."""
    have = {each.name: each for each in offers(exam, bank)}
    found: list[Offer] = []
    for name in dict.fromkeys(names):
        if name not in have:
            near = get_close_matches(name, have, n=3, cutoff=0.4)
            hint = f"did you mean {' or '.join(near)}?" if near else f"see which there are: lab exam tasks {exam}"
            raise UsageError(f"exam {exam} has no task {name!r}", hint)
        if other := next((each for each in found if each.claims & have[name].claims), None):
            raise UsageError(f"{name} and {other.name} can't be done at the same time", "leave out one of them")
        found.append(have[name])
    return found


def _seats(chosen: Sequence[Offer], bank: Sequence[Task], seed: int) -> list[Seat]:
    domains = list(dict.fromkeys(each.domain for each in chosen))
    own = {domain: [each for each in chosen if each.domain == domain] for domain in domains}
    parts = scaled({domain: [each.weight for each in items] for domain, items in own.items()})
    weight = {each.name: part for domain in domains for each, part in zip(own[domain], parts[domain], strict=True)}
    about = {each.name: each.about for each in bank}
    return [
        Seat(number, each.name, about[each.name].title, each.domain, weight[each.name], each.minutes, seed, "")
        for number, each in enumerate(chosen, 1)
    ]


def _instead(exam: str, have: Sequence[Offer], minutes: int) -> str:
    """What works instead: the nearest time; a quick one for who wants less than that."""
    nearest = sorted(_MAY_WORK, key=lambda other: abs(other - minutes))
    works = next((other for other in nearest if choose(have, EXAMS[exam], other, Random("instead"))), 0)
    ways = [f"a {'longer' if works > minutes else 'shorter'} time works: --minutes {works}"] if works else []
    if not 0 < works < minutes and choose_few(have, QUICK_TASKS, QUICK_MINUTES, Random("quick")):
        ways.append("a quick one: --quick" if ways else "a quick one works: --quick")
    return "; or ".join(ways) or "see what the bank has: lab exam tasks"


def names(drawn: Sequence[Seat], bank: Sequence[Task], into: Path, taken: Taken = lambda kind, name: False) -> None:
    """Draw namespaces and each task's own names, and write the tasks as the candidate gets them.

    No two tasks make, or ask the candidate to make, an object of the same name outside of their namespaces.

    Args:
        drawn: with the exam's seed; each gets its namespace and its own seed.
        into: each task's folder is made in here.
        taken: is there an object of this kind and name on the cluster already?

    Raises:
        LabError: a task can't be rendered, or all names that it draws are taken.
    """
    known = {each.name: each for each in bank}
    spaces = words(Random(f"{drawn[0].seed} namespaces"), _WORDS)
    free = (name for name in spaces if not taken("Namespace", name))
    for seat in drawn:
        seat.namespace = next(free, "")
        if not seat.namespace:
            raise LabError("all names for namespaces are taken on this cluster", "delete what you don't need there")
    used = {("Namespace", seat.namespace) for seat in drawn}
    for seat in drawn:
        first, folder = seat.seed * _TRIES, into / seat.slug / seat.task
        for seat.seed in range(first, first + _TRIES):
            made = outside(render(known[seat.task], seat.seed, seat.namespace, folder).folder)
            if not used.intersection(made) and not any(taken(kind, name) for kind, name in made):
                break
        else:
            kind, name = made[0]
            raise LabError(
                f"task {seat.task} finds no names for its objects that are free, such as {kind} {name}",
                "delete what has them, or tell the task's author",
            )
        used.update(made)


def content(bank: Sequence[Task]) -> str:
    """A hash of a bank: with the same one the same seed draws the same."""
    whole = hashlib.sha256()
    for task in sorted(bank, key=lambda each: each.name):
        for file in sorted(task.folder.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts and file.name != "proof.json":
                whole.update(f"{task.name}/{file.relative_to(task.folder)}\0".encode())
                whole.update(hashlib.sha256(file.read_bytes()).digest())
    return whole.hexdigest()[:12]
