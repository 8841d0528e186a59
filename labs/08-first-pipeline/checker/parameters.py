"""What a compiled pipeline hands on to a step as parameters, beside artifacts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .run import Plain

ROOT = ""


def given_by_steps(spec: Plain, step: str) -> list[str]:
    """The parameters of a step, in words, that are another one's outputs.

    Also those that a pipeline within the pipeline has handed on.
    """
    pipeline = spec.get("pipeline_spec", spec)
    components = {**(pipeline.get("components") or {}), ROOT: pipeline.get("root") or {}}
    found = []
    for place, tasks in _dags(components):
        for name in _parameters(tasks.get(step)):
            found += [f"{name}: {output} of {producer}" for producer, output in _sources(components, place, step, name)]
    return found


def _sources(components: Plain, place: str, task: str, name: str) -> Iterator[tuple[str, str]]:
    """The steps whose output a task's parameter is, with the output's name.

    Args:
        place: the component whose task it is.
    """
    tasks = dict(_dags(components)).get(place) or {}
    given = _parameters(tasks.get(task)).get(name) or {}
    if made := given.get("taskOutputParameter"):
        producer, output = str(made.get("producerTask")), str(made.get("outputParameterKey"))
        yield producer, output
    elif outer := given.get("componentInputParameter"):
        for above, those in _dags(components):
            for each in those if place != ROOT else ():
                if _component(those[each]) == place:
                    yield from _sources(components, above, each, str(outer))


def _dags(components: Plain) -> list[tuple[str, Plain]]:
    """The tasks of the pipeline, and of each one within it, by component."""
    return [(name, (each.get("dag") or {}).get("tasks") or {}) for name, each in components.items()]


def _component(task: Any) -> str:
    return str(((task or {}).get("componentRef") or {}).get("name"))


def _parameters(task: Any) -> Plain:
    found: Plain = ((task or {}).get("inputs") or {}).get("parameters") or {}
    return found
