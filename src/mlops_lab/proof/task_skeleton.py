"""`lab exam new`: the folder of a new task, which is another one with lines that say what to write anew.

Its form is right when none of these lines is left.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.proof.form import COPIED
from mlops_lab.proof.skeleton import marked
from mlops_lab.tasks.task import FILE, Task

# The one that a task begins as if its author names none.
MODEL = "storage-class"
_REWRITE = {
    FILE: "say what this task is, and which lines of the curricula it practises",
    "README.md": "tell what there is, and what is wanted",
    "hints.md": "write the hints of this task",
    "checker/__init__.py": "write the checks of this task, and draw.py beside it",
}
_LEFT_OUT = {"__pycache__", "proof.json"}


def make(name: str, into: Path, model: Task) -> Path:
    """Make the folder of a task that is another one, with its own title.

    Args:
        name: lower-case words with hyphens.
        into: the bank.

    Raises:
        UsageError: the name is not of that form, or there is such a task.
        LabError: the folder can't be written.
    """
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        raise UsageError(f"{name!r} is no name for a task", "use lower-case words with hyphens, such as resize-a-claim")
    folder = into / name
    if folder.exists():
        raise UsageError(f"task {name} is there already", "choose another name")
    title = name.replace("-", " ").capitalize()
    try:
        shutil.copytree(model.folder, folder, ignore=shutil.ignore_patterns(*_LEFT_OUT))
        for file, todo in _REWRITE.items():
            text = (folder / file).read_text(encoding="utf-8").replace(model.about.title, title, 1)
            line = f"{COPIED}exam/{model.name}: {todo}, then delete this line."
            (folder / file).write_text(marked(text, file, line), encoding="utf-8")
    except OSError as trouble:
        raise LabError(
            f"{folder} can't be written: {trouble.strerror or trouble}", "check the bank's owner"
        ) from trouble
    return folder
