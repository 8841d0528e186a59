"""The form of a task: does it render with every seed, is it whole, and do its names differ? Needs no cluster."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path

import yaml

from mlops_lab.base.errors import LabError
from mlops_lab.base.quick_yaml import load_all
from mlops_lab.checks.check import Check
from mlops_lab.labs import images, parts
from mlops_lab.labs.checker import checks as checks_of
from mlops_lab.labs.hints import hints
from mlops_lab.labs.variants import Variant, readable
from mlops_lab.labs.workspace import SEED
from mlops_lab.proof import form
from mlops_lab.proof.outside import unnamed
from mlops_lab.tasks.drawing import draw
from mlops_lab.tasks.rendering import SETUP, Rendered, render
from mlops_lab.tasks.standing import outside
from mlops_lab.tasks.task import Task

# What a task brings at least: ways to solve it, and typical mistakes.
SOLUTIONS, MISTAKES = 1, 3
LINES = 30  # of a text, at most
SEEDS = (1, 2)
# Draws that are compared.
_DRAWS = range(100, 106)
_NAMESPACE = "spaceless"  # no word that a task draws
_TEMPLATE = ("@{", "@%", "%@")
_CHECKER = "checker"


def complaints(task: Task, lines: Collection[str], seeds: Sequence[int] = SEEDS) -> list[str]:
    """What is wrong with a task's folder, a sentence each; nothing if all is well.

    Args:
        lines: of the curricula of its exams.
        seeds: with which it is rendered.
    """
    it = task.about
    said = [f"task.toml: no curriculum has the line {line!r}" for line in it.competencies if line not in lines]
    said += [f"task.toml: no part of the platform is called {name!r}" for name in it.needs if name not in parts.names()]
    said += [f"task.toml: no image is called {name!r}" for name in it.images if not images.known(name)]
    try:
        said += _drawn(task)
        for place, seed in enumerate(seeds):
            with tempfile.TemporaryDirectory(prefix="mlops-lab-") as folder:
                rendered = render(task, seed, _NAMESPACE, Path(folder) / task.name)
                found = _rendered(rendered, checks_of(rendered) if place == 0 else None)
                said += [f"seed {seed}: {each}" for each in found if f"seed {seeds[0]}: {each}" not in said]
    except LabError as broken:
        said.append(broken.message)
    return said


def _drawn(task: Task) -> list[str]:
    """What is drawn differs from seed to seed."""
    draws = [draw(task, seed) for seed in _DRAWS]
    names = {tuple(value for value in each.values() if isinstance(value, str)) for each in draws}
    return [] if len(names) > 1 else ["draw.py: every seed draws the same names"]


def _rendered(rendered: Rendered, checks: Sequence[Check] | None) -> list[str]:
    """What is wrong with a task as it was drawn.

    Args:
        checks: its checks; None where what does not depend on the seed was looked at.
    """
    (ways, bad_ways), (mistakes, bad_mistakes) = readable(rendered, "solution"), readable(rendered, "wrong")
    said = [f"{error.message}; {error.hint}" for error in (*bad_ways.values(), *bad_mistakes.values())]
    said += [*_read_me(rendered), *_files(rendered.folder), *form.copied(rendered.folder)]
    try:
        hints(rendered)
        outside(rendered.folder)
    except LabError as wrong:
        said.append(wrong.message)
    bad, worse = form.unfit(ways), form.unfit(mistakes)
    laid = [way for way in ways if way.name not in bad]
    said += [*bad.values(), *worse.values()]
    if checks is None:
        return said
    sound = [each for each in mistakes if each.name not in worse]
    said += [*_whole(checks, ways, mistakes), *form.given_away(rendered, laid), *form.same(laid)]
    return said + form.harmless(laid, sound) + unnamed(rendered, [*laid, *sound])


def _whole(checks: Sequence[Check], ways: Sequence[Variant], mistakes: Sequence[Variant]) -> list[str]:
    said = []
    if len(ways) < SOLUTIONS:
        said.append("it has no solution")
    if len(mistakes) < MISTAKES:
        said.append(f"it has {len(mistakes)} mistakes under wrong/; at least {MISTAKES} are needed")
    names = [item.name for item in checks]
    shown = {each.check for each in mistakes}
    said += [f"wrong/{each.name}: there is no check {each.check}" for each in mistakes if each.check not in names]
    said += [f"wrong/{each.name}: its variant.toml has no `because`" for each in mistakes if not each.because]
    return said + [f"no mistake under wrong/ shows that check {name} can fail" for name in names if name not in shown]


def _read_me(rendered: Rendered) -> list[str]:
    file = rendered.folder / "README.md"
    if not file.is_file():
        return ["there is no README.md"]
    text = file.read_text(encoding="utf-8")
    said = [f"{each} (README.md)" for each in form.links(file)]
    if text.partition("\n")[0] != f"# {rendered.task.about.title}":
        said.append(f"README.md begins with {text.partition(chr(10))[0]!r}, not with # and the title of task.toml")
    if _NAMESPACE not in text:
        said.append("README.md does not name the namespace: @{namespace}")
    if text.count("\n") > LINES:
        said.append(f"README.md has {text.count(chr(10))} lines; {LINES} are enough")
    return said


def _files(folder: Path) -> list[str]:
    """Leftovers of templates, and YAML that does not parse."""
    said = []
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = file.relative_to(folder)
        if name.parts[0] == _CHECKER or "__pycache__" in name.parts:
            continue
        text = file.read_text(encoding="utf-8", errors="replace")
        said += [f"{name}: {mark} of a template is left" for mark in _TEMPLATE if mark in text]
        if name.suffix in (".yaml", ".yml") and "templates" not in name.parts and name.parts[0] != "wrong":
            try:
                whole = load_all(text)
            except yaml.YAMLError as broken:
                said.append(f"{name}: {str(broken).splitlines()[0]}")
                continue
            if str(name) in (f"start/{SEED}", f"{SETUP}/outside.yaml"):
                said += [f"{name}: an object has no kind or no name" for item in whole if not _named(item)]
    return said


def _named(item: object) -> bool:
    return isinstance(item, dict) and bool(item.get("kind") and (item.get("metadata") or {}).get("name"))
