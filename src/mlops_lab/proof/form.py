"""The form of a lab's folder: is it whole, do its links lead somewhere, does it give its solution away? Needs no
cluster; what the checks measure is `lab verify`'s other steps.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from mlops_lab.base.errors import LabError
from mlops_lab.checks.check import Check
from mlops_lab.labs import images, parts
from mlops_lab.labs.catalog import Exercise, about
from mlops_lab.labs.description import describe
from mlops_lab.labs.hints import hints
from mlops_lab.labs.variants import Variant, readable, texts
from mlops_lab.proof import gates

# What a line of `lab new` begins with that its author is to delete: with --like, and without.
COPIED, UNFILLED = "Copied from lab ", "Copied from shape "
# Characters in a row, spaces folded, that a text may not share with what solves the lab.
SHARED = 120
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_ADDRESS = re.compile(r"https://[a-z0-9.-]+\.[a-z]{2,}(:\d+)?(/[^\s<>\"']*)?(#\S+)?")
_CLUSTER = "cluster"


def complaints(exercise: Exercise, checks: Sequence[Check]) -> list[str]:
    """What is wrong with the folder, a sentence each; nothing if all is well."""
    (ways, bad_ways), (mistakes, bad_mistakes) = readable(exercise, "solution"), readable(exercise, "wrong")
    missing = [path for name in ("README.md", "start") if not (path := exercise.folder / name).exists()]
    broken = [f"{error.message}; {error.hint}" for error in (*bad_ways.values(), *bad_mistakes.values())]
    # Which checks a mistake stands for is known when all of them can be read.
    said = [*_described(exercise, checks), *(broken or gates.form(checks, ways, mistakes, missing))]
    said += [
        f"{each.kind}/{each.name}: no image is called {name!r}"
        for each in (*ways, *mistakes)
        for name in each.images
        if not images.known(name)
    ]
    for name in ("README.md", "hints.md"):
        if (file := exercise.folder / name).is_file():
            said += links(file)
    bad = unfit(ways)
    laid = [way for way in ways if way.name not in bad]
    worse = unfit(mistakes)
    said += [*bad.values(), *worse.values()]
    said += (
        given_away(exercise, laid) + same(laid) + harmless(laid, [each for each in mistakes if each.name not in worse])
    )
    return said + numbered(exercise) + copied(exercise.folder)


def links(file: Path) -> list[str]:
    """Links of a Markdown file that lead nowhere: to a file that is not there, or to what is no https address."""
    found = []
    for target in _LINK.findall(re.sub(r"```.*?```", "", file.read_text(encoding="utf-8"), flags=re.DOTALL)):
        if "://" in target:
            if not _ADDRESS.fullmatch(target):
                found.append(f"{file.name}: {target} is no https address")
        elif not target.startswith("#") and not (file.parent / target.split("#")[0]).exists():
            found.append(f"{file.name}: there is no {target}")
    return found


def given_away(exercise: Exercise, ways: Iterable[Variant]) -> list[str]:
    """Where README, hints or the files to begin with say what the learner is to find: `SHARED` characters or more of a
    solution's that they did not have to begin with, or a whole solution among the first files.
    """
    start = exercise.folder / "start"
    began = {str(path.relative_to(start)): _folded(path) for path in _files(start)}
    known = _pieces(began.values())
    found = []
    for way in ways:
        files = {name: _fold(text) for name, text in texts(way).items()}
        pieces = {name: _pieces([whole]) - known for name, whole in files.items()}
        for text in ("README.md", "hints.md"):
            if (file := exercise.folder / text).is_file():
                told = _pieces([_folded(file)])
                found += [
                    f"{text} shares {SHARED} characters or more with solution/{way.name}/{name}, for instance: "
                    f"{min(told & own)}"
                    for name, own in pieces.items()
                    if told & own
                ]
        if files and all(began.get(name) == whole for name, whole in files.items()):
            found.append(f"start/ holds all of solution/{way.name}")
    return found


def same(ways: Sequence[Variant]) -> list[str]:
    """Solutions that are the same, file for file."""
    found: list[str] = []
    seen: dict[tuple[tuple[str, str], ...], str] = {}
    for way in ways:
        whole = tuple((name, _fold(text)) for name, text in texts(way).items())
        if whole in seen:
            found.append(f"solution/{way.name} is the same as solution/{seen[whole]}")
        seen.setdefault(whole, way.name)
    return found


def harmless(ways: Sequence[Variant], mistakes: Iterable[Variant]) -> list[str]:
    """Mistakes in which nothing is wrong: their files are a solution's, to the letter."""
    solved = {way.name: texts(way) for way in ways}
    return [
        f"wrong/{each.name} is the same as solution/{name}: put what differs into its folder, or into variant.toml"
        for each in mistakes
        for files in (texts(each),)
        for name, solution in solved.items()
        if files == solution
    ]


def numbered(exercise: Exercise) -> list[str]:
    """A README whose title is not the lab's number and a name."""
    file = exercise.folder / "README.md"
    if not file.is_file():
        return []
    title = file.read_text(encoding="utf-8", errors="replace").partition("\n")[0]
    if re.match(rf"# {exercise.number} \S", title):
        return []
    return [f"README.md begins with {title!r}; its first line is # {exercise.number} and the lab's title"]


def unfit(variants: Iterable[Variant]) -> dict[str, str]:
    """What cannot be laid over its base, by name, and why: it has no such file, or no such piece of text."""
    found = {}
    for each in variants:
        try:
            texts(each)
        except LabError as wrong:
            found[each.name] = wrong.message
    return found


def copied(folder: Path) -> list[str]:
    """Files that still bear a line which `lab new` put there."""
    said = []
    for file in (path for path in _files(folder) if path.suffix in (".toml", ".md", ".py")):
        text = file.read_text(encoding="utf-8", errors="replace")
        said += [
            f"{file.relative_to(folder)} is {whose}: write it anew, and delete the line {begins.strip()!r}"
            for begins, whose in ((COPIED, "another lab's"), (UNFILLED, "as lab new made it"))
            if re.search(rf"^(#|<!--) {begins}", text, re.MULTILINE)
        ]
    return said


def _described(exercise: Exercise, checks: Sequence[Check]) -> list[str]:
    said = []
    for read in (about, hints):
        try:
            read(exercise)
        except LabError as wrong:
            said.append(wrong.message)
    if said:
        return said
    it = about(exercise)
    said = [
        f"lab.toml: no part of the platform is called {name!r}"
        for name in it.needs
        if name != _CLUSTER and name not in parts.names()
    ]
    said += gates.earned_at_once(checks, describe(exercise.folder / "lab.toml").start_earns)
    return said + [f"lab.toml: no image is called {name!r}" for name in it.images if not images.known(name)]


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)


def _folded(path: Path) -> str:
    return _fold(path.read_text(encoding="utf-8", errors="replace"))


def _fold(text: str) -> str:
    """The text with each run of white space as one space, so that indenting hides nothing."""
    return " ".join(text.split())


def _pieces(texts: Iterable[str]) -> set[str]:
    """All parts of `SHARED` characters."""
    return {text[at : at + SHARED] for text in texts for at in range(len(text) - SHARED + 1)}
