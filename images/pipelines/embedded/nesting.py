"""Where a task of a run is, by its path: the names of what it is inside of, and its own. An iteration of a loop has a
path beside its loop's. Nothing here knows what became of a task."""

from __future__ import annotations

import uuid
from typing import Any

_MARK = "-iteration-"  # between a loop's name and an iteration's number; tasks may be called so, too


def task_id(run: str, path: str) -> str:
    """The id of the task of a run that has this path."""
    return str(uuid.uuid5(uuid.UUID(run), path))


def above(spec: dict[str, Any], path: str) -> str:
    """The path of what a task is inside of, empty at the top. An iteration is inside of its loop.

    Args:
        spec: the run's pipeline.
    """
    outer, _, name = path.rpartition("/")
    loop, _ = iteration(name, tasks(spec, outer)) if _MARK in name else ("", "")
    return f"{outer}/{loop}".lstrip("/") if loop else outer


def tasks(spec: dict[str, Any], path: str) -> dict[str, Any]:
    """The tasks of the (nested) pipeline that a path leads to, by name."""
    dag = spec["root"].get("dag", {})
    for name in filter(None, path.split("/")):
        known = dag.get("tasks", {})
        task = known.get(iteration(name, known)[0] or name, {})
        dag = spec.get("components", {}).get(task.get("componentRef", {}).get("name", ""), {}).get("dag", {})
    found: dict[str, Any] = dag.get("tasks", {})
    return found


def iteration(name: str, others: dict[str, Any]) -> tuple[str, str]:
    """The loop that something is an iteration of, and its number; both empty if it is none.

    Args:
        others: the tasks of the same pipeline, by name.
    """
    loop, mark, number = name.rpartition(_MARK)
    loops = {"parameterIterator", "artifactIterator"}.intersection(others.get(loop, ()))
    return (loop, number) if mark and loops and name not in others else ("", "")
