"""What to do next: by level, by exam domain, and by what failed; from the labs and the learner's records alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlops_lab.checks.check import DOMAINS, Check
from mlops_lab.labs.catalog import LEVELS, About, Exercise, abouts, exercises
from mlops_lab.labs.checker import checks
from mlops_lab.learner.records import Kept, Progress, Records


@dataclass(frozen=True)
class Course:
    """The labs with what is known of each, in the labs' order."""

    labs: Sequence[Exercise]
    abouts: Mapping[str, About]
    checks: Mapping[str, Sequence[Check]]
    progress: Mapping[str, Progress]
    kept: Sequence[Kept]

    def passed(self, number: str) -> bool:
        """Was the lab passed?"""
        return self.progress.get(number, Progress()).state == "passed"


def course() -> Course:
    """The labs that are here, with the learner's records as of now."""
    known, kept = exercises(), Records()
    return Course(
        known,
        {each.number: about for each, about in zip(known, abouts(known), strict=True)},
        {each.number: checks(each) for each in known},
        kept.progress(),
        kept.attempts(),
    )


@dataclass(frozen=True)
class Share:
    """How much of a level or a domain is done.

    Attributes:
        name: the level or the domain.
        earned, possible: points; of a level by the best attempts, of a domain by checks that ever passed.
        labs: the numbers of its labs that are not passed, the best to do first in front.
    """

    name: str
    earned: int
    possible: int
    labs: tuple[str, ...]


@dataclass(frozen=True)
class Failed:
    """A check that failed when it was tried last, and other labs that practise the same.

    Attributes:
        practise: labs that are not passed and have checks of the same domains, the nearest first.
    """

    lab: str
    check: str
    at: str
    practise: tuple[str, ...]


@dataclass(frozen=True)
class Scored:
    """How a domain went in an exam that was graded; the exam's domain is named as a check's, such as `cka/storage`."""

    domain: str
    earned: float
    possible: float


@dataclass(frozen=True)
class Practise:
    """What to practise for a domain of an exam.

    Attributes:
        domain: such as `cka/storage`.
        percent: that were earned in it in the last exams.
        labs: numbers of labs that are not passed, those with most points in it first.
        tasks: of the bank, those of which points were lost first.
    """

    domain: str
    percent: int
    labs: tuple[str, ...]
    tasks: tuple[str, ...]


def levels(course: Course) -> list[Share]:
    """Each level that has labs."""
    found = []
    for level, name in LEVELS.items():
        own = [each.number for each in course.labs if course.abouts[each.number].level == level]
        if own:
            possible = sum(check.points for number in own for check in course.checks[number])
            earned = sum(course.progress.get(number, Progress()).best or 0 for number in own)
            found.append(Share(name, earned, possible, tuple(each for each in own if not course.passed(each))))
    return found


def domains(course: Course) -> list[Share]:
    """Each exam domain that has checks; its open labs in the order of the points that they have in it."""
    done = _passed_once(course.kept)
    found = []
    for domain in sorted(DOMAINS):
        worth: dict[str, int] = {}
        earned = possible = 0
        for each in course.labs:
            for check in course.checks[each.number]:
                if domain in check.domains:
                    possible += check.points
                    if (each.number, check.name) in done:
                        earned += check.points
                    else:
                        worth[each.number] = worth.get(each.number, 0) + check.points
        if possible:
            found.append(Share(domain, earned, possible, tuple(sorted(worth, key=lambda lab: (-worth[lab], lab)))))
    return found


def practise(
    course: Course, scored: Sequence[Scored], tasks: Mapping[str, Sequence[str]], lost: Sequence[str]
) -> list[Practise]:
    """What to practise for exams: the domains in which not all was earned, the weakest first.

    Args:
        scored: of the exams that count.
        tasks: the bank's, by domain.
        lost: tasks of which points were lost.
    """
    labs = {each.name: each.labs for each in domains(course)}
    found = []
    for domain in dict.fromkeys(each.domain for each in scored):
        own = [each for each in scored if each.domain == domain]
        earned, possible = sum(each.earned for each in own), sum(each.possible for each in own)
        if earned < possible:
            order = sorted(tasks.get(domain, ()), key=lambda task: (task not in lost, task))
            percent = min(round(100 * earned / possible), 99)
            found.append(Practise(domain, percent, tuple(labs.get(domain, ())), tuple(order)))
    return sorted(found, key=lambda each: (each.percent, each.domain))


def failed(course: Course) -> list[Failed]:
    """The checks that failed when they were tried last, the newest first."""
    last: dict[tuple[str, str], tuple[str, str]] = {}
    for kept in course.kept:
        for result in kept.results:
            if result["verdict"] in ("pass", "fail"):
                last[(kept.lab, result["check"])] = (result["verdict"], kept.at)
    known = {(each.number, check.name): check for each in course.labs for check in course.checks[each.number]}
    found = []
    for (lab, name), (verdict, at) in last.items():
        if verdict == "fail" and (lab, name) in known:
            found.append(Failed(lab, name, at, _practise(course, lab, known[(lab, name)])))
    return sorted(found, key=lambda each: each.at, reverse=True)


def next_lab(course: Course) -> str | None:
    """The number of the lab to do next: one that was started, else the first that is not passed; None if all are."""
    opened = [each.number for each in course.labs if not course.passed(each.number)]
    begun = [number for number in opened if course.progress.get(number, Progress()).state in ("started", "tried")]
    newest = [kept.lab for kept in reversed(course.kept) if kept.lab in begun]
    return next(iter([*newest, *begun, *opened]), None)


def _practise(course: Course, lab: str, check: Check) -> tuple[str, ...]:
    wanted = set(check.domains)
    shared = {
        each.number: sum(item.points for item in course.checks[each.number] if wanted & set(item.domains))
        for each in course.labs
        if each.number != lab and not course.passed(each.number)
    }
    order = list(LEVELS)
    own = order.index(course.abouts[lab].level)

    def far(number: str) -> tuple[int, int, str]:
        return (abs(order.index(course.abouts[number].level) - own), -shared[number], number)

    return tuple(sorted((number for number, points in shared.items() if points), key=far)[:2])


def _passed_once(kept: Sequence[Kept]) -> set[tuple[str, str]]:
    return {
        (each.lab, result["check"]) for each in kept for result in each.results if result["verdict"] == "pass"
    }  # fmt: skip
