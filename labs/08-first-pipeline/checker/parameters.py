"""What a compiled pipeline takes as parameters, and what it hands on to a step as such, beside artifacts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mlops_lab.checks import Observation

from .run import Plain

ROOT = ""
TYPES = {"first_day": "STRING", "last_day": "STRING", "held_out_days": "NUMBER_INTEGER", "seed": "NUMBER_INTEGER"}
TYPED = (
    "a parameter's type is that of the pipeline function's argument: the days are texts (str), held_out_days and seed "
    "whole numbers (int)"
)


def taken(spec: Plain) -> Plain:
    """The pipeline's parameters by name, each as it is declared; none where it is of another form."""
    found: Any = spec.get("pipeline_spec", spec)
    for name in ("root", "inputDefinitions", "parameters"):
        found = found.get(name) if isinstance(found, dict) else None
    return {str(name): each for name, each in found.items()} if isinstance(found, dict) else {}


def are_of_their_types(spec: Plain) -> Observation:
    """The days are texts and the others whole numbers; which more parameters there are does not matter."""
    declared = taken(spec)
    found = {name: _type(declared.get(name)) for name in TYPES}
    expected, seen = (", ".join(f"{name} {kind}" for name, kind in each.items()) for each in (TYPES, found))
    return Observation(found == TYPES, f"parameters of the types {expected}", seen)


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


def _type(declared: Any) -> str:
    return str(declared.get("parameterType", "of no type") if isinstance(declared, dict) else "of no type")


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
