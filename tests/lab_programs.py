"""A lab's own programs as modules, for tests of what they decide."""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

from mlops_lab.labs.catalog import labs_folder


def loaded(number: str, program: str = "checks") -> Any:
    """A program of a lab, read anew; `checks` is its checker.

    Args:
        number: of the lab, such as `14`.
    """
    (file,) = labs_folder().glob(f"{number}-*/{program}.py")
    spec = importlib.util.spec_from_file_location(f"tests_lab{number}_{program}", file)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up there
    spec.loader.exec_module(module)
    return module
