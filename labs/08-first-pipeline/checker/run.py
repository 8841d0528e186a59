"""A run that has ended: what its steps made and read, and what there is in its data sets."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from mlops_lab.checks import Observation
from mlops_lab.kit.pipeline_runs import Record, Step

Plain = dict[str, Any]  # an object of the pipelines' REST API, or of prepare.py

STEPS = ("prepare", "train", "evaluate")


@dataclass(frozen=True)
class Run:
    """A run that has ended.

    Attributes:
        arguments: what the checker gave it.
        ended: whether it succeeded, with the reason if not.
        left: its steps and artifacts.
    """

    arguments: Plain
    ended: Observation
    left: Record

    def made(self, step: str, kind: str, name: str = "") -> list[str]:
        """The ids of a step's output artifacts of a type, such as `Dataset`; with `name` of those only."""
        return [
            each
            for output, ids in self._step(step).outputs.items()
            for each in ids
            if (not name or output == name)
            and each in self.left.artifacts
            and self.left.artifacts[each].type == f"system.{kind}"
        ]

    def read(self, step: str) -> set[str]:
        """The ids of a step's input artifacts."""
        return {each for ids in self._step(step).inputs.values() for each in ids}

    @property
    def cached(self) -> tuple[str, ...]:
        """The steps that came from the cache."""
        return tuple(step for step in STEPS if self._step(step).cached)

    def _step(self, name: str) -> Step:
        return self.left.steps.get(name) or Step(name, "")

    @property
    def days(self) -> dict[str, list[str]]:
        """The days whose flights each data set should have."""
        first, last = (date.fromisoformat(self.arguments[name]) for name in ("first_day", "last_day"))
        whole = [str(first + timedelta(number)) for number in range((last - first).days + 1)]
        split = len(whole) - self.arguments["held_out_days"]
        return {"rows": whole[:split], "held_out": whole[split:]}


def outputs(run: Run) -> Observation:
    """The steps have the outputs that the task names."""
    wanted = {"Dataset rows of prepare": run.made("prepare", "Dataset", "rows"),
              "Dataset held_out of prepare": run.made("prepare", "Dataset", "held_out"),
              "Model of train": run.made("train", "Model")}  # fmt: skip
    missing = [name for name, found in wanted.items() if not found]
    made = [f"{each.type.removeprefix('system.')} {each.name}" for each in run.left.artifacts.values()]
    return Observation(
        not missing,
        f"outputs: {', '.join(wanted)}",
        f"missing: {', '.join(missing)}; made: {', '.join(made) or 'none'}" if missing else f"made: {', '.join(made)}",
    )


def has_flights(run: Run, name: str, found: Plain) -> Observation:
    """A Dataset has the flights of its days, each once, and no others."""
    days = run.days[name]
    right = "error" not in found and not found["missing"] and not found["other"] and not found["weather"]
    seen = found.get("error") or (
        f"{found['rows']} flights, {' to '.join(found['ends'])}; "
        f"{found['missing']} of the days are missing, {found['other']} are others"
        + (f"; {found['weather']} have another weather than in the files" if found["weather"] else "")
    )
    return Observation(right, f"{name}: the {found['wanted']} flights of {days[0]} to {days[-1]}", seen)


def follows_days(run: Run, name: str, found: Plain) -> Observation:
    """A Dataset has the flights of its days, and none that are not of this run's days."""
    days = run.days[name]
    seen = found.get("error") or (
        f"{found['rows']} flights, {' to '.join(found['ends'])}; {found['missing']} of the days are missing"
    )
    right = "error" not in found and not found["missing"] and not found["strange"]
    return Observation(right, f"{name} follows the run's days: {days[0]} to {days[-1]}", seen)


def reads(run: Run, step: str) -> str:
    """What a step reads, in words."""
    made = {
        each: f"{by}'s {run.left.artifacts[each].name}"
        for by in STEPS
        if by in run.left.steps
        for ids in run.left.steps[by].outputs.values()
        for each in ids
        if each in run.left.artifacts
    }
    return f"it reads {', '.join(sorted(made.get(each, 'something else') for each in run.read(step))) or 'no artifact'}"
