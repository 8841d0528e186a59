"""Two runs of the program in the workspace, side by side, with batches for which the Service fails as it was told."""

import ast
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_lab.checks import Lab, LabError, Observation, absent, expect, holds
from mlops_lab.kit.pipeline_runs import Record, progress, record
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

    with lab.work.copy(without=_PACKAGE) as copy:
        done = await copy.command(_PROGRAM, within=_COMPILED_WITHIN)
        must(
            done.observed(done.code == 0, f"./{_PROGRAM}: exit code 0 within {_COMPILED_WITHIN:.0f} s"),
            "it compiles the pipeline; the compiler's message says what is wrong",
        )
        spec = copy.pipeline(_PACKAGE)
    must(as_given(spec), "change how the pipeline uses its steps, and leave what these do as it was")
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


def _steps(text: str) -> dict[str, str]:
    """The two steps' functions in a Python text, without decorators; none where it is no such text."""
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    found = {each.name: each for each in body if isinstance(each, ast.FunctionDef) and each.name in (FETCH, PUBLISH)}
    for each in found.values():
        each.decorator_list = []
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
    try:
        run_id = await lab.platform.pipelines.start(spec, {"batch": batch})
    except LabError as trouble:
        if getattr(trouble, "status", 0) != 400:  # KFP's word for what is wrong with the question
            raise
        expect(absent("KFP takes a run with the parameter batch", trouble.message[-300:])).because(
            "the pipeline's parameters stay: batch, and source with its default"
        )
        raise
    ended = await lab.time.eventually(
        lambda: lab.platform.pipelines.run(run_id), lab.platform.pipelines.over,
        expected="a run ends", shown=progress, within=_ENDED_WITHIN,
    )  # fmt: skip
    await lab.platform.pipelines.end(run_id)
    must(ended, "long waits between two tries are of no use here: what fails is over in a moment")
    left = await record(lab, run_id)
    asked = (await lab.traffic.get(source, f"/asked/{batch}")).fields()
    return Run(str(ended.value.get("state")), left, asked, tuple(left.failure))
