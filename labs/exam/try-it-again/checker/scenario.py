"""Two runs of the program in the workspace, side by side, with batches for which the Service fails as it was told."""

import ast
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_lab.checks import Lab, Observation, holds
from mlops_lab.kit.compiled_pipelines import tasks
from mlops_lab.kit.learner_pipelines import compiled, followed, started
from mlops_lab.kit.pipeline_runs import Record
from mlops_lab.kit.prerequisites import must
from mlops_lab.kit.side_by_side import together

FETCH, PUBLISH = "fetch", "publish"
_PROGRAM, _PACKAGE = "pipeline.py", "pipeline.yaml"
_GIVEN = Path(__file__).parents[1] / "start" / _PROGRAM
_COMPILED_WITHIN, _ANSWERED_WITHIN, _ENDED_WITHIN = 60.0, 20.0, 150.0
_ALWAYS = 99
Plain = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """A run that has ended.

    Attributes:
        state: as the API names it.
        left: what it left.
        asked: how often the Service was asked for its batch's rows, and to take it.
        lines: of what failed in it.
    """

    state: str
    left: Record
    asked: Plain
    lines: tuple[str, ...]

    def step(self, name: str) -> str:
        """A step's state."""
        found = self.left.steps.get(name)
        return found.state if found else "not there"


async def runs(lab: Lab) -> dict[str, Run]:
    """The runs: one whose rows fail once too often, one whose rows come with the last try and which can't publish."""
    from . import D

    spec = await compiled(lab, _PROGRAM, _PACKAGE, within=_COMPILED_WITHIN)
    must(as_given(spec), "change how the pipeline uses its steps, and leave what these do as it was")
    must(
        parameters_as_given(spec),
        "what starts the pipeline gives its parameters by their names, and leaves out what has a default",
    )
    must(
        handed_on(spec),
        "a parameter that a step does not get is of no use to whoever starts the pipeline, and publish is to say how "
        "many rows fetch has got",
    )
    must(
        holds(not any(_cached(spec)), "neither step comes from the cache", "one may come from the cache"),
        "a step that comes from the cache does not run: it hands nothing over. set_caching_options(False) was there",
    )
    plans = {
        "too_often": {"rows": D.retries + 1, "published": 0},
        "unpublished": {"rows": D.retries, "published": _ALWAYS},
    }
    found = await together(*(_run(lab, spec, D.source, plan) for plan in plans.values()))
    return dict(zip(plans, found, strict=True))


def as_given(spec: Plain) -> Observation:
    """Do the steps of a compiled pipeline do what the given ones do? The compiler writes their source into it."""
    given = _steps(_GIVEN.read_text(encoding="utf-8"))
    executors = (spec.get("pipeline_spec", spec).get("deploymentSpec") or {}).get("executors") or {}
    containers = [each.get("container") or {} for each in executors.values()]
    words = [str(word) for each in containers for word in (*(each.get("command") or []), *(each.get("args") or []))]
    now = [step for word in words for step in _steps(word).items()]
    other = [name for name, text in given.items() if [(name, text)] != [each for each in now if each[0] == name]]
    return holds(not other, "the steps as they were given", f"another {', '.join(other)}")


def parameters_as_given(spec: Plain) -> Observation:
    """Has a compiled pipeline the parameters of the given one, and the same default?"""
    inputs = (spec.get("pipeline_spec", spec).get("root") or {}).get("inputDefinitions") or {}
    now = {name: each.get("defaultValue") for name, each in (inputs.get("parameters") or {}).items()}
    same = f'source: str = "{now.get("source")}"' in _GIVEN.read_text(encoding="utf-8")
    has = ", ".join(name if default is None else f"{name}={default}" for name, default in sorted(now.items()))
    return holds(
        same and now == {"batch": None, "source": now["source"]},
        "the pipeline's parameters batch and source, with the default of source", f"its parameters: {has or 'none'}",
    )  # fmt: skip


def handed_on(spec: Plain) -> Observation:
    """Do the steps of a compiled pipeline get its parameters, and what the step before returns, and no constant?"""
    said = set()
    for _, task in tasks(spec):
        given = (task.get("inputs") or {}).get("parameters") or {}
        for name in {"batch", "rows", "source"} & set(given):
            constant = (given[name].get("runtimeValue") or {}).get("constant")
            said |= {f"{name}={constant}"} if constant is not None and "{{$" not in str(constant) else set()
    return holds(
        not said, "the steps get the pipeline's parameters, and publish what fetch returns",
        f"a constant in their place: {', '.join(sorted(said))}",
    )  # fmt: skip


def _cached(spec: Plain) -> Iterator[bool]:
    """Of each task of a compiled pipeline: may it come from the cache?"""
    for _, task in tasks(spec):
        yield bool((task.get("cachingOptions") or {}).get("enableCache"))


def _steps(text: str) -> dict[str, str]:
    """The two steps' functions in a Python text, but for decorators and what they say of themselves; else none."""
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    found = {each.name: each for each in body if isinstance(each, ast.FunctionDef) and each.name in (FETCH, PUBLISH)}
    for each in found.values():
        each.decorator_list = []
        each.body = each.body[1:] if ast.get_docstring(each) is not None else each.body
    return {name: ast.dump(each) for name, each in found.items()}


async def _run(lab: Lab, spec: Plain, source: str, plan: Plain) -> Run:
    """One run, of a batch of its own, from its start to its end."""
    batch = uuid.uuid4().hex[:12]
    told = await lab.traffic.first_answer(
        lambda: lab.traffic.put(source, f"/plan/{batch}", plan), within=_ANSWERED_WITHIN
    )
    must(
        Observation(told.status == 200, f"Service {source} answers", told.shown),
        "it was there when the task began; leave it as it is",
    )
    run_id = await started(
        lab, spec, {"batch": batch}, takes="the parameter batch",
        why="the pipeline's parameters stay: batch, and source with its default",
    )  # fmt: skip
    ended, left = await followed(
        lab, run_id, within=_ENDED_WITHIN,
        why="long waits between two tries are of no use here: what fails is over in a moment",
    )  # fmt: skip
    asked = (await lab.traffic.get(source, f"/asked/{batch}")).fields()
    return Run(str(ended.value.get("state")), left, asked, tuple(left.failure))
