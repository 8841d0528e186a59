"""docs/class-security.md says of each attempt on a class which tests play it: they are there, with those cases."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

import pytest

from mlops_lab.base.paths import project

TESTS = project() / "tests"
PAGE = project() / "docs" / "class-security.md"
# All that has to be tried; a line that is missing is no guard that is not needed.
ATTEMPTS = (
    "other learners' namespaces", "nodes", "others' Secrets", "the graders", "the class's own namespace", "escalate",
    "bind", "impersonate", "ephemeral containers", "other learners' pods, by network", "MLflow and the runs of others",
    "a kit after its end", "the grader's own image", "an object that never goes", "a pod that ends in a year",
    "objects without number", "a volume of others",
    "a link", "a pipe", "a device", "a sparse file of 10 GB", "100,000 files", "a path outside", "YAML aliases",
    "a kustomization that fetches", "a pickle that prints a verdict and exits", "a program reads the environment",
    "a program reads its parent process", "a program reads or writes the ledger", "a program kills the checker",
    "a program never ends", "a program floods its output", "a push of `load:v1`",
    "objects changed while it is graded", "logged in to a pod meanwhile", "a pod that says that it is a Deployment's",
    "a pod acts by the token of an account that the lab begins with", "what the checker makes there is changed",
    "a webhook, a quota or a policy in the way", "begun anew while it is graded",
    "checks that begin before the hold, or go on after it", "the grader's right for longer, or elsewhere",
    "a result without what was looked at",
    "records replayed", "records reordered", "records edited", "records cut", "a second submission while one is graded",
    "the grader killed in the middle", "others shut out by wrong tokens",
    "the database away for a minute", "the clock set back", "the operator's or the dispatcher's token in other hands",
    "a Job's token where all Jobs have rights",
)  # fmt: skip
_TEST = re.compile(r"`([\w/]+\.py)::(\w+)(?:\[([^`]+)\])?`")
_SHARED = "class_attempts.py"  # cases of several files


def rows(text: str) -> list[list[str]]:
    """The cells of each line of the page's tables, without their heads."""
    lines = [
        line for line in text.splitlines() if line.startswith("|") and not line.startswith(("|---", "| attempt |"))
    ]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


@functools.cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def fault(file: str, name: str, case: str) -> str:
    """Why there is no such test; empty if there is."""
    path = TESTS / file
    if not path.is_file():
        return f"there is no {file}"
    functions = {each.name: each for each in ast.walk(parsed(path)) if isinstance(each, ast.FunctionDef)}
    if not name.startswith("test_") or name not in functions:
        return f"{file} has no {name}"
    if not case:
        return ""
    if not any("parametrize" in ast.unparse(each) for each in functions[name].decorator_list):
        return f"{name} has no cases"
    texts = {
        each.value
        for module in (parsed(path), parsed(TESTS / _SHARED))
        for each in ast.walk(module)
        if isinstance(each, ast.Constant)
    }
    return "" if case in texts else f"{file} has no case {case!r}"


def test_every_attempt_has_its_line() -> None:
    assert [row[0] for row in rows(PAGE.read_text("utf-8"))] == list(ATTEMPTS)


@pytest.mark.parametrize("row", rows(PAGE.read_text("utf-8")), ids=lambda row: row[0])
def test_each_attempt_is_played_and_shown_to_be_possible(row: list[str]) -> None:
    _, guard, refused, possible = row
    played = _TEST.findall(refused)
    shown = played if possible == "the same" else _TEST.findall(possible)
    assert guard and played and shown
    assert refused == ", ".join(_spelled(each) for each in played), "something else stands there"
    assert not [found for each in (*played, *shown) if (found := fault(*each))]


def _spelled(test: tuple[str, str, str]) -> str:
    file, name, case = test
    return f"`{file}::{name}{f'[{case}]' if case else ''}`"


def test_what_needs_the_cluster_is_marked_so_and_nothing_is_skipped() -> None:
    for file in {file for file, _, _ in _TEST.findall(PAGE.read_text("utf-8"))}:
        marks = [
            ast.unparse(each.value) for each in parsed(TESTS / file).body
            if isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) == "pytestmark"
        ]  # fmt: skip
        assert ("cluster" in "".join(marks)) == file.startswith("e2e/"), file
        assert "skip" not in "".join(marks)


@pytest.mark.parametrize(
    ("test", "says"),
    [
        (("unit/none.py", "test_x", ""), "there is no"),
        (("unit/test_class_security.py", "test_none", ""), "has no test_none"),
        (("unit/test_class_security.py", "rows", ""), "has no rows"),
        (("unit/test_class_security.py", "test_every_attempt_has_its_line", "x"), "has no cases"),
        (("unit/grader/test_third_place.py", "test_whatever_it_tries", "flies"), "no case 'flies'"),
        (("unit/grader/test_third_place.py", "test_whatever_it_tries", "never ends"), ""),
    ],
)
def test_a_test_that_is_not_there_is_noticed(test: tuple[str, str, str], says: str) -> None:
    found = fault(*test)
    assert says in found and bool(found) == bool(says)
