"""A lab's checker and the programs that it runs in pods, as modules, for tests of what they decide."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

from mlops_lab.labs.catalog import resolve
from mlops_lab.labs.checker import load


def loaded(number: str, module: str = "") -> Any:
    """A lab's checker, read anew.

    Args:
        number: of the lab, such as `14`.
        module: one beside its checks, such as `scenario` or `crowd`; the checks themselves if none is given.
    """
    package: ModuleType = load(resolve(number))
    return importlib.import_module(f"{package.__name__}.{module}") if module else package
