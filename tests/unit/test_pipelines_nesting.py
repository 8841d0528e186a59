"""Where tasks of a run are, by their paths: what is an iteration of a loop, and what is only called like one."""

from __future__ import annotations

from typing import Any

import pytest
from embedded import nesting

NESTED: dict[str, Any] = {"componentRef": {"name": "inside"}}
LOOP = {**NESTED, "parameterIterator": {"itemInput": "item"}}
SPEC: dict[str, Any] = {
    "root": {"dag": {"tasks": {
        "for-loop-1": LOOP, "models": {**NESTED, "artifactIterator": {}}, "train": {}, "train-iteration-2": {},
        "for-loop-1-iteration-7": NESTED,
    }}},
    "components": {"inside": {"dag": {"tasks": {"add": {}, "for-loop-2": LOOP}}}},
}  # fmt: skip


@pytest.mark.parametrize(
    ("path", "above"),
    [
        ("train", ""),
        ("train-iteration-2", ""),
        ("train-iteration-3", ""),
        ("for-loop-1", ""),
        ("for-loop-1-iteration-0", "for-loop-1"),
        ("models-iteration-1", "models"),
        ("for-loop-1-iteration-7", ""),
        ("for-loop-1-iteration-0/add", "for-loop-1-iteration-0"),
        ("for-loop-1-iteration-7/add", "for-loop-1-iteration-7"),
        ("for-loop-1-iteration-0/for-loop-2-iteration-3", "for-loop-1-iteration-0/for-loop-2"),
        ("unknown/train-iteration-2", "unknown"),
    ],
)
def test_what_a_task_is_inside_of(path: str, above: str) -> None:
    assert nesting.above(SPEC, path) == above


def test_the_tasks_of_what_a_path_leads_to() -> None:
    assert set(nesting.tasks(SPEC, "for-loop-1-iteration-0")) == {"add", "for-loop-2"}
    assert set(nesting.tasks(SPEC, "for-loop-1-iteration-7/for-loop-2-iteration-0")) == {"add", "for-loop-2"}
    assert nesting.tasks(SPEC, "train-iteration-2") == {}


def test_an_iteration_has_a_number() -> None:
    tasks = nesting.tasks(SPEC, "")
    assert nesting.iteration("for-loop-1-iteration-12", tasks) == ("for-loop-1", "12")
    assert nesting.iteration("for-loop-1-iteration-7", tasks) == ("", "")
