"""A run that has ended: what its steps made and read, and what there is in its data sets."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from mlops_lab.checks import Observation
from mlops_lab.kit.pipeline_runs import Record, Step
from mlops_lab.measure.traffic.flights import numbers

Plain = dict[str, Any]  # an object of the pipelines' REST API, or of prepare.py

STEPS = ("prepare", "train", "evaluate")
METRIC, SAME = "auc", 1e-6
EACH = 97  # one of so many held-out flights is asked about apart from the others
REMEMBERS, WORSE = (
    0.72,
    0.08,
)  # of the AUC: more than a model of few days comes to on others, and what a seed never does
# Whose trees or weights are drawn anew for each random_state, and with which value of which parameter they are not: a
# forest of all flights and all columns draws nothing.
DRAWN: dict[str, tuple[str, tuple[str, ...]]] = {
    "BaggingClassifier": ("bootstrap", ("False",)),
    "DecisionTreeClassifier": ("splitter", ("best",)),
    "ExtraTreesClassifier": ("", ()),
    "GradientBoostingClassifier": ("subsample", ("1", "1.0")),
    "MLPClassifier": ("", ()),
    "RandomForestClassifier": ("bootstrap", ("False",)),
    "SGDClassifier": ("shuffle", ("False",)),
}


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

    def run_anew(self, names: Collection[str]) -> list[str]:
        """The steps, of those with these names, that ran and did not come from the cache; the three first."""
        found = [step for step in STEPS if step not in self.cached]
        more = [each.name for each in self.left.steps.values() if each.state != "SKIPPED" and not each.cached]
        return found + sorted(name for name in more if name in names and name not in STEPS)

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


def logged(run: Run) -> Observation:
    """There is a number `auc` among the Metrics of `evaluate`; it is the value."""
    kept = [run.left.artifacts[each].metadata for each in run.made("evaluate", "Metrics")]
    values = numbers([next((each[METRIC] for each in kept if METRIC in each), None)])
    names = ", ".join(name for each in kept for name in each) or "nothing"
    seen = f"Metrics with {names}" if kept else "no output of type Metrics"
    wanted = f"a number {METRIC} in a Metrics artifact of evaluate"
    return Observation(values is not None, wanted, seen, values[0] if values else None)


def true(logged_one: float, own: float) -> Observation:
    """What was logged is the Model's own AUC on `held_out`."""
    apart = abs(logged_one - own)
    return Observation(
        apart <= SAME,
        f"{METRIC}: within 1e-6 of {own:.7f}, the Model's on held_out",
        f"{logged_one:.7f}, {apart:.1e} away",
    )


def by_themselves(among_all: Plain, some: Plain, places: Sequence[int] | None = None) -> Observation:
    """Flights that are asked about by themselves have the probabilities that they have among all.

    Args:
        among_all: what the Model answers for all of them.
        some: what it answers for those at these places, or for one of `EACH`.
    """
    whole, found = numbers(among_all.get("values")), numbers(some.get("values"))
    wanted = (
        (whole or [])[::EACH] if places is None else [whole[each] for each in places if whole and each < len(whole)]
    )
    expected = f"the same probabilities for {len(wanted)} flights of held_out that are asked about by themselves"
    if "error" in some or found is None or len(found) != len(wanted):
        seen = str(some.get("error", "not as many probabilities as flights"))[:300]
        return Observation(False, expected, seen)
    apart = [abs(one - other) for one, other in zip(wanted, found, strict=True)]
    others = sum(not each <= SAME for each in apart)  # NaN is another one, too
    seen = f"others for {others} of them, by up to {max(apart):.2g}" if others else "the same"
    return Observation(not others, expected, seen)


def as_good(before: float, now: float) -> Observation:
    """A Model that was made where no days' files are is as good on `held_out` as the one before.

    Args:
        before: the AUC of the first run's Model; one that is no better than few days make it proves nothing.
        now: that of the Model of the same `rows` with another seed.
    """
    least = before - WORSE if before >= REMEMBERS else 0.0
    return Observation(
        now >= least,
        f"{METRIC} on held_out of a Model made with no days' files at hand: {least:.2f} or more, after {before:.4f}",
        f"{now:.4f}",
    )


def follows_seed(made: Plain, before: Plain, now: Plain) -> Observation:
    """A classifier was fitted with the seed that it says, and one that draws gives other answers with another.

    Args:
        made: what the driver's `params` says of the Model with another seed.
        before: what the first Model answers for `held_out`.
        now: what this one answers.
    """
    told, renamed = made.get("classifiers"), made.get("renamed")
    if isinstance(renamed, list) and renamed:
        wanted = "a classifier says the random_state that it was fitted with"
        return Observation(False, wanted, f"{str(renamed[0])[:60]} was fitted with another one")
    classifiers = [each for each in (told if isinstance(told, list) else []) if isinstance(each, dict)]
    draws = [str(each.get("kind")) for each in classifiers if _draws(each)]
    same = bool(draws) and before.get("values") is not None and before.get("values") == now.get("values")
    return Observation(
        not same,
        "a Model with another seed is another one, where its classifier draws",
        f"{draws[0]} with the same answers for held_out, to the last digit"
        if same
        else "it is"
        if draws
        else "its classifier need not draw",
    )


def _draws(classifier: Plain) -> bool:
    params, kind = classifier.get("params"), classifier.get("kind")
    if not isinstance(kind, str) or kind not in DRAWN or not isinstance(params, dict):
        return False
    name, never = DRAWN[kind]
    return not name or (name in params and str(params[name]) not in never)


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
