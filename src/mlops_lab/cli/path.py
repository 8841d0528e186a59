"""lab path: what to do next, and the course week by week with the time for it."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import click

from mlops_lab.base.errors import UsageError
from mlops_lab.cli.arguments import no_labs
from mlops_lab.cli.terminal import console, width
from mlops_lab.labs.catalog import LEVELS
from mlops_lab.learner.records import Progress
from mlops_lab.tasks.task import EXAMS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from mlops_lab.learner.path import Course, Failed, Level, Practise, Share, Stage
    from mlops_lab.learner.plan import Sitting

_SHOWN = 5  # failed checks, and labs of a row
_FEW = 2  # labs and tasks that are named for a domain
_WIDE, _NARROW = 100, 80  # columns of a terminal from which on all has one line, and below which words are left out
_FOUR_LABS = 16  # columns


@click.command()
@click.option("--week", type=click.IntRange(min=1), help="Only this week of the course.")
@click.option("--level", type=click.Choice(list(LEVELS.values())), help="Only this level.")
@click.option("--domain", help="Only exam domains that begin so, such as cka/troubleshooting or cka.")
@click.option("--all", "every", is_flag=True, help="Show each week's labs, not only those of the week you are in.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def path(week: int | None, level: str | None, domain: str | None, every: bool, as_json: bool) -> None:
    """Show the course by week, and what to do next.

    The course has an order, week by week, with the time that each lab takes; docs/path.md is the plan. Below that are
    the levels, and the exam domains, those labs first that have most points still to get in them.

    \b
    Examples:
      lab path
      lab path --all
      lab path --week 3
      lab path --level beginner
      lab path --domain cka/troubleshooting
      lab path --level intermediate --domain cka/troubleshooting
      lab path --json | jq -r .next
      lab path --json | jq '.weeks[] | {week, left}'
    """
    from mlops_lab.learner import path as paths

    course = paths.course()
    known = [each.name for each in paths.domains(course)]
    if domain and not any(_begins(each, domain) for each in known):
        exam = domain.partition("/")[0]
        if any(_begins(f"{exam}/{each}", domain) for each in EXAMS.get(exam, ())):
            raise UsageError(
                f"no lab counts for the exam domain {domain!r}", f"practise: lab exam start {exam} --quick --practice"
            )
        raise UsageError(f"there is no exam domain {domain!r}", f"there are: {', '.join(known)}")
    if week is not None:
        course = _of_week(course, week)
    chosen = _only(course, level)
    weeks, levels = paths.stages(chosen), paths.levels(chosen)
    domains = _domains(course, level, domain or "")
    shares = domains if domain else levels
    failed, following, exams = paths.failed(course), paths.next_lab(course), _exams(course, domain or "")
    if level or domain:
        following = next((lab for each in shares for lab in each.labs), None)
    if as_json:
        rows = {
            "next": following, "weeks": [_week(course, each) for each in weeks],
            "levels": [vars(each) for each in levels], "domains": [vars(each) for each in domains],
            "failed": [vars(each) for each in failed], "exams": [vars(each) for each in exams],
        }  # fmt: skip
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    if not course.labs:
        click.echo(no_labs())
        return
    shown = console()
    if level and not shares:
        shown.print(_no_lab(course, level, domain), soft_wrap=True)
        return
    narrow = bool(week or level or domain)
    shown.print(_next(course, following), soft_wrap=True)
    if failed and not narrow:
        shown.print("\nWhat failed last")
        for each in failed[:_SHOWN]:
            shown.print(_failed(each), soft_wrap=True)
    if exams and not level and not week:
        shown.print("\nFor exams, by the last ones, the weakest domain first")
        for weak in exams[:_SHOWN]:
            shown.print(_practise(weak), soft_wrap=True)
    if weeks and domain is None:
        shown.print(f"\n{_time(chosen)}", soft_wrap=True)
        shown.print(_weeks(course, weeks, following, every=every or narrow))
    if domain is None and week is None:
        shown.print("\nBy level")
        shown.print(_levels(levels))
    if (level is None and week is None) or domain:
        shown.print("\nBy exam domain, first the labs with most points still to get")
        shown.print(_rows(domains))


def _of_week(course: Course, week: int) -> Course:
    """The same course with the labs of one week.

    Raises:
        UsageError: there is no such week.
    """
    if week > len(course.plan.week):
        there = f"there are 1 to {len(course.plan.week)}: lab path --all" if course.plan.week else "see them: lab path"
        raise UsageError(f"the course has no week {week}" if course.plan.week else "these labs have no weeks", there)
    own = course.plan.week[week - 1].labs
    return replace(course, labs=[each for each in course.labs if each.slug in own])


def _only(course: Course, level: str | None) -> Course:
    """The same course with the labs of one level; None leaves all."""
    if level is None:
        return course
    own = [each for each in course.labs if LEVELS[course.abouts[each.number].level] == level]
    return replace(course, labs=own)


def _exams(course: Course, beginning: str) -> list[Practise]:
    """What to practise for exams, of the domains whose names begin so."""
    from mlops_lab.exam.drawing import offers
    from mlops_lab.exam.handing_in import sheets
    from mlops_lab.exam.history import scored
    from mlops_lab.exam.state import Store
    from mlops_lab.learner import path as paths
    from mlops_lab.tasks.task import tasks

    known, lost = scored(sheets(Store()))
    if not known:
        return []
    bank, claims = tasks(), dict[str, dict[str, frozenset[str]]]()
    for exam in EXAMS:
        for offer in offers(exam, bank):
            claims.setdefault(f"{exam}/{offer.domain}", {})[offer.name] = offer.claims
    return [each for each in paths.practise(course, known, claims, lost) if _begins(each.domain, beginning)]


def _practise(each: Practise) -> str:
    labs = f"lab start {' or '.join(each.labs[:_FEW])}" if each.labs else ""
    exam = each.domain.partition("/")[0]
    tasks = " ".join(f"--task {name}" for name in each.at_once[:_FEW])
    ways = [labs, f"lab exam start {exam} --practice {tasks}" if tasks else ""]
    return f"  {each.domain}, {each.percent} %: {'; '.join(way for way in ways if way)}"


def _domains(course: Course, level: str | None, beginning: str) -> list[Share]:
    """The exam domains whose names begin so, with what the labs of one level have of them; None takes all levels."""
    from mlops_lab.learner import path as paths

    return [each for each in paths.domains(_only(course, level)) if _begins(each.name, beginning)]


def _no_lab(course: Course, level: str, domain: str | None) -> str:
    """Says that a level has no labs (of a domain), and which levels have some."""
    others = [
        other for other in LEVELS.values() if (_domains(course, other, domain) if domain else _only(course, other).labs)
    ]
    of, more = (f" for the exam domain {domain}", f" --domain {domain}") if domain else ("", "")
    return (
        f"The level {level} has no labs{of} yet; these levels have: {', '.join(others)}\n"
        f"next: lab path --level {others[0]}{more}"
    )


def _next(course: Course, number: str | None) -> str:
    if number is None:
        return "next: you have passed all of these; lab list shows all labs"
    about = course.abouts[number]
    stand = course.progress.get(number, Progress())
    how = f", {stand.best} of {stand.possible} points so far" if stand.best is not None else ""
    verb = "check" if stand.state in ("started", "tried") else "start"
    return f"next: lab {verb} {number}   {about.title} (about {about.minutes} min{how})\n      {about.summary}"


def _failed(each: Failed) -> str:
    practise = f"; to practise the same: lab start {' or '.join(each.practise)}" if each.practise else ""
    return f"  lab {each.lab}, {each.check}: lab explain {each.lab} {each.check}{practise}"


def _begins(name: str, beginning: str) -> bool:
    """Does the name of an exam domain begin so? `cka` is an exam, and not only the beginning of `ckad`."""
    return name.startswith(f"{beginning}/" if beginning in EXAMS else beginning)


def _time(course: Course) -> str:
    """How much is passed, and the time of what is to come."""
    from mlops_lab.learner.plan import spelt

    numbers = [each.number for each in course.labs]
    to_do = [each for each in numbers if not course.passed(each)]
    left = f"{spelt(course.minutes(to_do))} to come" if to_do else "all passed"
    return (
        f"By week: {len(numbers) - len(to_do)} of {len(numbers)} labs passed, "
        f"{spelt(course.minutes(numbers))} in all, {left}"
    )


def _weeks(course: Course, weeks: Sequence[Stage], following: str | None, *, every: bool) -> Table:
    """The weeks; with their labs the one that the next lab is in, or every one."""
    from rich.padding import Padding

    from mlops_lab.learner.plan import spelt

    def below(text: str) -> Padding:
        return Padding(text, (0, 0, 0, 5))

    table, narrow = _table(None if width() >= _WIDE else _FOUR_LABS), width() < _NARROW
    for each in weeks:
        opened = every or following in each.labs
        passed = f"{len(each.labs) - len(each.to_do)} of {len(each.labs)}{'' if narrow else ' passed'}"
        name = each.title if each.week is None else f"{each.week}  {each.title}"
        rest = "" if opened else _named(each.to_do)
        table.add_row(name, passed, spelt(each.minutes), rest)
        if opened:
            for number in each.labs:
                about, stand = course.abouts[number], course.progress.get(number, Progress())
                points = f"{stand.best} of {stand.possible}" if stand.best is not None else ""
                state = ", ".join(word for word in ("" if narrow and points else stand.state, points) if word)
                lab = below(f"{number}  {_slug(course, number)}")
                table.add_row(lab, state, spelt(about.minutes), LEVELS[about.level])
            for sitting in each.exams:
                table.add_row(below(exam_command(sitting)), "", spelt(sitting.minutes), "to practise")
            if each.planned != each.minutes:
                whole = f"of {course.plan.hours} h" if course.plan.hours else ""
                table.add_row(below("in all, with time to read"), "", spelt(each.planned), whole)
    return table


def _slug(course: Course, number: str) -> str:
    return next(each.name for each in course.labs if each.number == number)


def exam_command(sitting: Sitting) -> str:
    """The command that begins an exam."""
    from mlops_lab.exam.choice import QUICK_MINUTES
    from mlops_lab.exam.drawing import MINUTES

    time = {QUICK_MINUTES: " --quick", MINUTES: ""}.get(sitting.minutes, f" --minutes {sitting.minutes}")
    return f"lab exam start {sitting.exam}{time}"


def _week(course: Course, stage: Stage) -> dict[str, Any]:
    """A week as plain data, with each lab's time and state."""
    labs = [
        {
            "lab": number, "name": _slug(course, number), "level": course.abouts[number].level,
            "minutes": course.abouts[number].minutes, **vars(course.progress.get(number, Progress())),
        }
        for number in stage.labs
    ]  # fmt: skip
    return {**asdict(stage), "labs": labs}


def _levels(levels: Sequence[Level]) -> Table:
    from mlops_lab.learner.plan import spelt

    table = _table()
    for each in levels:
        time = f"{spelt(each.left)} to come" if each.left else ""
        table.add_row(each.name, f"{each.earned} of {each.possible} points", time, _named(each.labs))
    return table


def _rows(shares: Sequence[Share]) -> Table:
    table = _table()
    for each in shares:
        table.add_row(each.name, f"{each.earned} of {each.possible} points", "", _named(each.labs))
    return table


def _named(labs: Sequence[str]) -> str:
    """The first of some labs to do."""
    more = " ..." if len(labs) > _SHOWN else ""
    return f"lab {' '.join(labs[:_SHOWN])}{more}" if labs else "all passed"


def _table(widest: int | None = None) -> Table:
    """Name, points, time, labs; on a narrow terminal names and labs take more lines, and figures stay whole.

    Args:
        widest: columns that labs may take.
    """
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(overflow="fold")
    for _ in ("points", "time"):
        table.add_column(justify="right", no_wrap=True)
    table.add_column(max_width=widest)
    return table
