"""`lab new`: the folder of a new lab, in one of a few shapes or like a lab that there is.

A shape has a check, solutions and a mistake that work from the first moment. It is not honest yet: its texts bear lines
that say what to write, and four of its five mistakes differ in nothing from a solution, of which the form step tells
until the author has written them. A lab made like another one is that lab, with such lines; its form is right when
none of them is left.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.labs.catalog import Exercise, about, exercises
from mlops_lab.proof.content import KEPT
from mlops_lab.proof.form import COPIED, UNFILLED

_SHAPES = Path(__file__).with_name("shapes")
_REWRITE = {
    "lab.toml": "say what this lab is, and what it needs",
    "README.md": "tell the situation, the task and what is measured",
    "hints.md": "write the hints of this task",
    "checker/__init__.py": "write the checks of this task",
    "variant.toml": "write this mistake, and name the folder after the check that it fails",
}
# What a shape has that stands for the author's own; its check, solutions and first mistake are one to look at.
_FILL = re.compile(r"README\.md|lab\.toml|wrong/.*--mistake-\d/variant\.toml")


def shapes() -> list[str]:
    """What a new lab may begin as: a Deployment that is served, a Job that ends."""
    return sorted(folder.name for folder in _SHAPES.iterdir() if folder.is_dir())


def make(name: str, into: Path, shape: str = "deployment", *, beside: Sequence[Exercise] = ()) -> Path:
    """Make the folder `NN-name`; without a number of its own it gets the one after the highest.

    Args:
        name: lower-case words with hyphens, or with a free number in front: `70-my-topic`.
        shape: one of `shapes()`.
        beside: labs of another folder whose numbers are not free either.

    Raises:
        UsageError: the name is not of that form, or the lab is there.
        LabError: the folder cannot be written.
    """
    number, word = _free(name, into, beside)

    def filled(text: str, path: str) -> str:
        text = text.replace("{number}", number).replace("{title}", _title(word))
        return _to_write(text, path, f"{UNFILLED}{shape}") if _FILL.fullmatch(path) else text

    return _copied(_SHAPES / shape, into / f"{number}-{word}", filled)


def make_like(name: str, into: Path, model: Exercise, *, beside: Sequence[Exercise] = ()) -> Path:
    """Make a lab that is another one, with its own title and number, and lines that say what to write anew.

    Raises:
        UsageError, LabError: as `make`; or the other lab's description is broken.
    """
    number, word = _free(name, into, beside)
    title = about(model).title

    def changed(text: str, path: str) -> str:
        text = _renumbered(text, model.number, number)
        if path == "lab.toml":
            text = text.replace(f'"{title}"', f'"{_title(word)}"', 1)
        if path == "README.md":
            text = re.sub(r"\A# .*", f"# {number} {_title(word)}", text)
        return _to_write(text, path, f"{COPIED}{model.slug}")

    return _copied(model.folder, into / f"{number}-{word}", changed)


def _free(name: str, into: Path, beside: Sequence[Exercise]) -> tuple[str, str]:
    """Number and name of a lab that is not there yet.

    Namespaces and records are called by the number alone, whichever folder a lab is in.
    """
    form = re.fullmatch(r"(?:(\d\d)-)?([a-z][a-z0-9]*(?:-[a-z0-9]+)*)", name)
    if form is None:
        raise UsageError(f"{name!r} is no name for a lab", "use lower-case words with hyphens, such as batch-scoring")
    known = exercises(into)
    numbers = {each.number: each for each in (*beside, *known)}
    number = form[1] or f"{max(map(int, numbers), default=0) + 1:02d}"
    taken = numbers.get(number) or next((each for each in known if each.name == form[2]), None)
    if taken or number == "100":
        raise UsageError(f"lab {taken.slug if taken else '99'} is there already", "choose another name or number")
    return number, form[2]


def _title(word: str) -> str:
    return word.replace("-", " ").capitalize()


def _renumbered(text: str, before: str, now: str) -> str:
    """The text with `lab 10`, `lab-10` and `lab check 10` of another number."""
    return re.sub(rf"\b([Ll]ab[ -](?:[a-z]+ )?){before}\b", rf"\g<1>{now}", text)


def _to_write(text: str, path: str, whence: str) -> str:
    """The text with a line that says what to write, where there is something."""
    file = path.rpartition("/")[2]
    todo = _REWRITE.get(path) or (_REWRITE.get(file) if path.startswith("wrong/") else None)
    return text if todo is None else marked(text, file, f"{whence}: {todo}, then delete this line.")


def marked(text: str, file: str, line: str) -> str:
    """The text with the line as a comment at its top; a page's title stays above it."""
    if not file.endswith(".md"):
        return f"# {line}\n{text}"
    title, _, rest = text.partition("\n") if text.startswith("# ") else ("", "", text)
    return f"{title}\n\n<!-- {line} -->\n{rest}".lstrip("\n")


def _copied(source: Path, folder: Path, change: Callable[[str, str], str]) -> Path:
    """Copy a folder, each text through a function of it and its name."""
    try:
        for file in sorted(path for path in source.rglob("*") if path.is_file() and "__pycache__" not in path.parts):
            name = file.relative_to(source).as_posix()
            if name == KEPT:
                continue
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                target.write_text(change(file.read_text(encoding="utf-8"), name), encoding="utf-8")
            except UnicodeDecodeError:  # no text
                target.write_bytes(file.read_bytes())
            shutil.copymode(file, target)
    except OSError as trouble:
        raise LabError(
            f"{folder} cannot be written: {trouble.strerror}", "name another folder with --into"
        ) from trouble
    return folder
