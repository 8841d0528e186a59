"""What is in a compiled pipeline: its tasks, and the functions that its steps run."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

Plain = dict[str, Any]


def tasks(part: Any) -> Iterator[tuple[str, Plain]]:
    """Each task in a part of a compiled pipeline with its name, those inside of others too."""
    for key, value in part.items() if isinstance(part, dict) else ():
        if isinstance(value, dict) and "componentRef" in value:
            yield key, value
        yield from tasks(value)


def other_functions(spec: Plain, given: Path, names: Collection[str]) -> set[str]:
    """Of some names those under which a step runs another function than a given program has.

    Args:
        given: the program, which has a function of each of these names.
    """
    wanted = _functions(given.read_text(encoding="utf-8"))
    now = [each for text in _programs(spec) for each in _functions(text).items()]
    return {name for name, does in now if name in names and does != wanted[name]}


def _programs(part: Any) -> Iterator[str]:
    """The last words of the commands in a part of a pipeline: there the compiler puts the function of a step."""
    for key, value in part.items() if isinstance(part, dict) else ():
        if key == "command" and isinstance(value, list) and value:
            yield str(value[-1])
        yield from _programs(value)


def _functions(text: str) -> dict[str, str]:
    """What each function of a program does, but for how it is laid out; none where it is no Python."""
    try:
        return {each.name: _dumped(each) for each in ast.parse(text).body if isinstance(each, ast.FunctionDef)}
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}


def _dumped(function: ast.FunctionDef) -> str:
    """A function's parameters and its body, but for what it says of itself."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return "\n".join(map(ast.dump, (function.args, *body)))
