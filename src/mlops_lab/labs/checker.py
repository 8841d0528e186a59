"""A lab's checker: the package `checker/` of its folder, imported again for each call.

Its checks are in `checker/__init__.py`; what they need is in other modules of the package, imported as `from .scenario
import ...`. Files that run in pods are there, too.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType

from mlops_lab.base.errors import LabError
from mlops_lab.checks.check import Check, checks_of
from mlops_lab.labs.catalog import Exercise

FOLDER = "checker"


class BrokenChecker(LabError):
    """A lab's checker is not there, or cannot be imported: for learners no fault of theirs, for its author one."""


_BROKEN = "the lab's checker is broken, which is not the fault of your work; tell the lab's author"


def checks(exercise: Exercise) -> list[Check]:
    """A lab's checks, in the order of the report.

    Raises:
        BrokenChecker: the package is not there, cannot be imported, or its checks don't hang together; with file and
            line.
    """
    module = load(exercise)
    try:
        return checks_of(module)
    except ValueError as wrong:
        raise BrokenChecker(
            f"{module.__file__}:1: {wrong}", "the lab's checker is broken; tell the lab's author"
        ) from wrong


def load(exercise: Exercise) -> ModuleType:
    """The package of a lab's checker.

    Raises:
        BrokenChecker: it is not there, or cannot be imported; with file and line.
    """
    folder = exercise.folder / FOLDER
    file = folder / "__init__.py"
    if not file.is_file():
        raise BrokenChecker(f"{file}: there is no such file", "the lab is incomplete; tell its author")
    name = f"mlops_lab_checker_{exercise.number}"
    for known in [each for each in sys.modules if each == name or each.startswith(f"{name}.")]:
        del sys.modules[known]
    spec = importlib.util.spec_from_file_location(name, file, submodule_search_locations=[str(folder)])
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickles look their module up there
    importlib.invalidate_caches()
    try:
        spec.loader.exec_module(module)
    except Exception as broken:
        place, line = _place(broken, file)
        raise BrokenChecker(
            f"{place}:{line}: {type(broken).__name__}: {getattr(broken, 'msg', None) or broken}",
            _BROKEN,
            "".join(traceback.format_exception(broken)),
        ) from broken
    return module


def _place(error: Exception, file: Path) -> tuple[Path, int]:
    """The file of the checker and the line in it where an exception came from; line 1 if it came from elsewhere."""
    if isinstance(error, SyntaxError) and error.lineno and error.filename:
        return Path(error.filename), error.lineno
    place, line, frame = file, 1, error.__traceback__
    while frame is not None:
        at = Path(frame.tb_frame.f_code.co_filename)
        if at.parent == file.parent:
            place, line = at, frame.tb_lineno
        frame = frame.tb_next
    return place, line
