"""What to do next: by week, by level, by exam domain, and by what failed; from the labs, their plan and the records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mlops_lab.checks.check import DOMAINS, Check
from mlops_lab.labs.catalog import LEVELS, About, Exercise, abouts, exercises
from mlops_lab.labs.checker import checks
from mlops_lab.learner.plan import Plan, Sitting, arranged, plan
from mlops_lab.learner.records import Kept, Progress, Records


@dataclass(frozen=True)
class Course:
    """The labs with what is known of each, by number, and their plan."""

    labs: Sequence[Exercise]
    abouts: Mapping[str, About]
    checks: Mapping[str, Sequence[Check]]
    progress: Mapping[str, Progress]
    kept: Sequence[Kept]
    plan: Plan = field(default_factory=Plan)

    def passed(self, number: str) -> bool:
        """Was the lab passed?"""
        return self.progress.get(number, Progress()).state == "passed"

    def ordered(self) -> list[Exercise]:
        """The labs in the plan's order."""
        return arranged(self.labs, [name for week in self.plan.week for name in week.labs])

    def minutes(self, numbers: Sequence[str]) -> int:
        """What these labs take by themselves."""
        return sum(self.abouts[number].minutes for number in numbers)


def course() -> Course:
    """The labs that are here, with the learner's records as of now."""
    known, kept = exercises(), Records()
    return Course(
        known,
        {each.number: about for each, about in zip(known, abouts(known), strict=True)},
        {each.number: checks(each) for each in known},
        kept.progress(),
        kept.attempts(),
        plan(),
    )


@dataclass(frozen=True)
class Stage:
    """A week of the plan, and how far the learner is in it.

    Attributes:
        week: 1 is the first; None for labs that the plan gives no place.
        title, able, exams: as the plan has them.
        labs: the numbers of its labs, in order.
        to_do: those of them that are not passed.
        minutes, left: what its labs take by themselves, and those to do.
        planned: what the week takes with reading and exams.
    """

    week: int | None
    title: str
    able: str
    labs: tuple[str, ...]
    to_do: tuple[str, ...]
    minutes: int
    left: int
    planned: int
    exams: tuple[Sitting, ...] = ()


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
class Level(Share):
    """A level.

    Attributes:
        minutes, left: what all its labs take by themselves, and those that are not passed.
    """

    minutes: int
    left: int


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
        at_once: the first of these that can be done in one exam.
    """

    domain: str
    percent: int
    labs: tuple[str, ...]
    tasks: tuple[str, ...]
    at_once: tuple[str, ...]


def stages(course: Course) -> list[Stage]:
    """Each week of the plan of which there are labs; last the labs without a week, if there is a plan at all."""
    there = {each.slug: each.number for each in course.labs}
    found = []
    for number, week in enumerate(course.plan.week, 1):
        own = tuple(there.pop(name) for name in week.labs if name in there)
        if own:
            found.append(_stage(course, number, week.title, week.able, own, week.exams))
    if course.plan.week and there:
        found.append(_stage(course, None, "Labs that have no week yet", "", tuple(there.values())))
    return found


def _stage(
    course: Course, week: int | None, title: str, able: str, own: tuple[str, ...], exams: tuple[Sitting, ...] = ()
) -> Stage:
    to_do = tuple(each for each in own if not course.passed(each))
    minutes = course.minutes(own)
    return Stage(
        week, title, able, own, to_do, minutes, course.minutes(to_do), course.plan.takes(minutes, exams), exams
    )


def levels(course: Course) -> list[Level]:
    """Each level that has labs."""
    found = []
    for level, name in LEVELS.items():
        own = [each.number for each in course.ordered() if course.abouts[each.number].level == level]
        if own:
            worth = {number: sum(check.points for check in course.checks[number]) for number in own}
            possible = sum(worth.values())
            # A lab may have had more points when its best attempt was made.
            earned = sum(min(course.progress.get(number, Progress()).best or 0, worth[number]) for number in own)
            to_do = tuple(each for each in own if not course.passed(each))
            found.append(Level(name, earned, possible, to_do, course.minutes(own), course.minutes(to_do)))
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
    course: Course,
    scored: Sequence[Scored],
    tasks: Mapping[str, Mapping[str, frozenset[str]]],
    lost: Sequence[str],
) -> list[Practise]:
    """What to practise for exams: the domains in which not all was earned, the weakest first.

    Args:
        scored: of the exams that count.
        tasks: the bank's, by domain, each with its claims: two that have one in common can't be done at once.
        lost: tasks of which points were lost.
    """
    labs = {each.name: each.labs for each in domains(course)}
    found = []
    for domain in dict.fromkeys(each.domain for each in scored):
        own = [each for each in scored if each.domain == domain]
        earned, possible = sum(each.earned for each in own), sum(each.possible for each in own)
        if earned < possible:
            claims = tasks.get(domain, {})
            order = tuple(sorted(claims, key=lambda task: (task not in lost, task)))
            percent = min(round(100 * earned / possible), 99)
            found.append(Practise(domain, percent, tuple(labs.get(domain, ())), order, _at_once(order, claims)))
    return sorted(found, key=lambda each: (each.percent, each.domain))


def _at_once(tasks: Sequence[str], claims: Mapping[str, frozenset[str]]) -> tuple[str, ...]:
    held: set[str] = set()
    found = []
    for task in tasks:
        if held.isdisjoint(claims[task]):
            found.append(task)
            held |= claims[task]
    return tuple(found)


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
    """The lab to do next: one that was started, else the plan's first that is not passed; None if all are."""
    opened = [each.number for each in course.ordered() if not course.passed(each.number)]
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
