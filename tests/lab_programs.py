"""A lab's checker and the programs that it runs in pods, as modules, for tests of what they decide."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

from mlops_lab.labs.catalog import resolve
from mlops_lab.labs.checker import load


class Checker:
    """All modules of a lab's checker as one: a name is looked up, and set, wherever the checker has it."""

    def __init__(self, package: ModuleType) -> None:
        mine = [name for name in sys.modules if name == package.__name__ or name.startswith(f"{package.__name__}.")]
        self.__dict__["_modules"] = [sys.modules[name] for name in sorted(mine)]

    def __getattr__(self, name: str) -> Any:
        for module in self._modules:
            if hasattr(module, name):
                return getattr(module, name)
        raise AttributeError(f"no module of the checker has {name}")

    def __setattr__(self, name: str, value: Any) -> None:
        for module in self._modules:
            if hasattr(module, name):
                setattr(module, name, value)

    def __delattr__(self, name: str) -> None:
        for module in self._modules:
            module.__dict__.pop(name, None)


def loaded(number: str, module: str = "") -> Any:
    """A lab's checker, read anew.

    Args:
        number: of the lab, such as `14`.
        module: one beside its checks that they don't import, such as `crowd`, which runs in a pod; none is the checker.
    """
    package = load(resolve(number))
    return importlib.import_module(f"{package.__name__}.{module}") if module else Checker(package)
