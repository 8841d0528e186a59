"""What a program of the package imports, directly or through others: read from the source, nothing is run.

Imports inside functions count, since they are made when it matters; those for types alone do not. Names that are put
together at run time are not seen.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Collection, Iterable, Iterator
from functools import cache
from pathlib import Path


class Imports:
    """The modules of one package.

    Args:
        package: its folder, such as `src/mlops_lab`; the folder's name is the package's.
    """

    def __init__(self, package: Path) -> None:
        self._package = package
        self._files: dict[str, Path | None] = {}  # thousands of questions are about some hundred modules

    def file(self, module: str) -> Path | None:
        """The source of a module; None if the package has none of that name. Each is looked for once."""
        if module not in self._files:
            self._files[module] = self._found(module)
        return self._files[module]

    def _found(self, module: str) -> Path | None:
        first, *rest = module.split(".")
        if first != self._package.name:
            return None
        path = self._package.joinpath(*rest)
        return next((file for file in (path / "__init__.py", path.with_suffix(".py")) if file.is_file()), None)

    def of(self, file: Path, module: str = "") -> set[str]:
        """The package's modules that a file names in its imports.

        Args:
            module: the file's own name, which relative imports start from; without it they are left out.
        """
        folder = module if file.name == "__init__.py" else module.rpartition(".")[0]
        return {name for name in _named(file.read_text(encoding="utf-8"), folder) if self.file(name)}

    def behind(self, modules: Iterable[str], apart: Collection[str] = ()) -> set[str]:
        """These modules and all that they import, directly or not, with the packages around them.

        Args:
            apart: packages that are neither counted nor looked into.
        """
        found: set[str] = set()
        todo = list(modules)
        while todo:
            name = todo.pop()
            parts = name.split(".")
            for each in (".".join(parts[:end]) for end in range(1, len(parts) + 1)):
                if each in found or any(each == other or each.startswith(f"{other}.") for other in apart):
                    continue
                if (file := self.file(each)) is not None:
                    found.add(each)
                    todo += self.of(file, each)
        return found


@cache
def meaning(source: str) -> str:
    """A program without what does not change its work: comments, docstrings and empty lines.

    The rest stays as it is written, so that the result is the same with every version of Python. A program that is none
    stays whole.
    """
    lines = source.split("\n")
    if (tree := _parsed(source)) is None:
        return source
    inside: set[int] = set()  # lines that a text of several lines goes on in
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes))):
            inside.update(range(node.lineno + 1, (node.end_lineno or node.lineno) + 1))
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            line, column = token.start
            lines[line - 1] = lines[line - 1][:column].rstrip()
    for text in _docstrings(tree):
        begin, end = text.lineno, text.end_lineno or text.lineno
        after = _after(lines[end - 1], text.end_col_offset or 0)
        lines[begin - 1] = _before(lines[begin - 1], text.col_offset) + after
        for number in range(begin + 1, end + 1):
            lines[number - 1] = ""
        inside.difference_update(range(begin, end + 1))
    return "\n".join(line for number, line in enumerate(lines, 1) if number in inside or line.strip())


def _parsed(source: str) -> ast.Module | None:
    """A program's syntax tree; None if it is none: who runs it says where it is broken."""
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError):
        return None


def _docstrings(tree: ast.AST) -> Iterator[ast.Constant]:
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and node.body:
            first = node.body[0]
            text = first.value if isinstance(first, ast.Expr) else None
            if isinstance(text, ast.Constant) and isinstance(text.value, str):
                yield text


def _before(line: str, column: int) -> str:
    """The part of a line before a column of the syntax tree, which counts bytes."""
    return line.encode()[:column].decode()


def _after(line: str, column: int) -> str:
    return line.encode()[column:].decode()


@cache
def _named(source: str, folder: str) -> frozenset[str]:
    """All that a program's imports may mean: of `from a import b` both `a` and `a.b`."""
    found: set[str] = set()
    for node in _at_run_time(_parsed(source) or ast.Module([], [])):
        if isinstance(node, ast.Import):
            found.update(each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and (start := _start(node, folder)):
            found.add(start)
            found.update(f"{start}.{each.name}" for each in node.names)
    return frozenset(found)


def _start(node: ast.ImportFrom, folder: str) -> str:
    """The module that names are imported from; empty if it is a relative one of nobody knows what."""
    if not node.level:
        return node.module or ""
    if not folder:
        return ""
    parts = folder.split(".")
    return ".".join([*parts[: len(parts) - node.level + 1], *([node.module] if node.module else [])])


def _at_run_time(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes below one, but for what stands under `if TYPE_CHECKING:`."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and _for_types(child.test):
            for other in child.orelse:
                yield other
                yield from _at_run_time(other)
            continue
        yield child
        yield from _at_run_time(child)


def _for_types(test: ast.expr) -> bool:
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )
