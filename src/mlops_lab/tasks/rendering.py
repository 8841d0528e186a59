"""A task as an ordinary lab's folder: what was drawn stands in its texts, manifests and scripts.

In every file but the checker's, `@{name}` is a drawn value, `@{namespace}` the task's namespace, and
`@% if fault == "port" %@ ... @% endif %@` a part that is there or not; see Jinja's template language.
"""

from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2

from mlops_lab.base.errors import LabError
from mlops_lab.labs.catalog import Exercise
from mlops_lab.tasks.drawing import DRAWN, draw
from mlops_lab.tasks.task import FILE, Task

# What stands before the candidate begins; never copied to a workspace.
SETUP = "setup"
_CHECKER = "checker"
_LEFT_OUT = {"__pycache__", "proof.json"}
_JINJA = jinja2.Environment(
    variable_start_string="@{",
    variable_end_string="}",
    block_start_string="@%",
    block_end_string="%@",
    comment_start_string="@#",
    comment_end_string="#@",
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
    undefined=jinja2.StrictUndefined,
    autoescape=False,
)


@dataclass(frozen=True)
class Rendered(Exercise):
    """A task that is rendered: a lab's folder, by its name, in a namespace of its own.

    Attributes:
        task: the template.
        seed: with which it was drawn.
        drawn: what was, by name.
        space: the namespace.
    """

    task: Task = field(kw_only=True)
    seed: int = field(kw_only=True)
    space: str = field(kw_only=True)
    drawn: Mapping[str, Any] = field(kw_only=True, default_factory=dict, hash=False)

    @property
    def namespace(self) -> str:
        """The namespace of the candidate's work."""
        return self.space


def render(task: Task, seed: int, namespace: str, into: Path) -> Rendered:
    """Write a task's folder with what the seed draws; what was at `into` before is gone.

    Args:
        into: the folder; it is called after the task.

    Raises:
        LabError: a template asks for what was not drawn, or the folder can't be written.
    """
    values = draw(task, seed)
    if "namespace" in values:
        raise LabError(f"{task.folder}: draw.py draws a namespace, which the exam gives", "tell the task's author")
    shutil.rmtree(into, ignore_errors=True)
    try:
        for file in sorted(task.folder.rglob("*")):
            inside = file.relative_to(task.folder)
            if file.is_file() and not _LEFT_OUT & set(inside.parts):
                template = inside.parts[0] != _CHECKER and inside.name != FILE
                _write(file, into / inside, {**values, "namespace": namespace} if template else None)
        _described(task, into)
        (into / _CHECKER / DRAWN).write_text(json.dumps(values), encoding="utf-8")
    except OSError as trouble:
        raise LabError(f"{into} can't be written: {trouble}", "see that the disk has room") from trouble
    return Rendered(into, task.name, task.name, task=task, seed=seed, space=namespace, drawn=values)


def _write(file: Path, target: Path, values: Mapping[str, Any] | None) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if values is None:
        shutil.copy(file, target)
        return
    try:
        text = _template(file.read_text(encoding="utf-8")).render(values)
    except (jinja2.TemplateError, UnicodeDecodeError) as wrong:
        line = f":{wrong.lineno}" if isinstance(wrong, jinja2.TemplateSyntaxError) else ""
        raise LabError(f"{file}{line}: {wrong}", "tell the task's author") from wrong
    target.write_text(text, encoding="utf-8")
    shutil.copymode(file, target)


@functools.lru_cache(maxsize=4096)
def _template(text: str) -> jinja2.Template:
    return _JINJA.from_string(text)


def _described(task: Task, into: Path) -> None:
    """What `labs` wants to know of it, as any lab's lab.toml says it."""
    it = task.about
    fields = {
        "title": it.title,
        "level": "E",
        "minutes": it.minutes,
        "summary": it.title,
        "needs": ["cluster", *it.needs],
        "images": it.images,
    }
    (into / "lab.toml").write_text(
        "".join(f"{name} = {json.dumps(value, ensure_ascii=False)}\n" for name, value in fields.items()),
        encoding="utf-8",
    )
