"""Lab 08: the learner's compiled pipeline, run with arguments that the checker chooses, once, again, and changed."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from mlops_lab.checks import Lab, LabError, Observation, check, equal_to, expect, observe
from mlops_lab.measure.traffic.flights import numbers

Object = dict[str, Any]

PROGRAM, PACKAGE = "pipeline.py", "pipeline.yaml"
STEPS = ("prepare", "train", "evaluate")
PARAMETERS = ("first_day", "last_day", "held_out_days", "seed")
KNOWN = (date(2013, 3, 1), date(2013, 3, 10), 3)  # the days of the task
YEAR = (date(2013, 4, 1), date(2013, 11, 30))  # where other days are drawn from
COMPILED_WITHIN = 60  # s
RUN_WITHIN, CACHED_WITHIN = 240, 120  # s for a run, and for one whose steps need no pods
SCORED_WITHIN = 120  # s for the checker's own pod
METRIC = "auc"
DOMAINS = ("ckad/design-and-build",)


@dataclass(frozen=True)
class Run:
    """A run that has ended.

    Attributes:
        arguments: what the checker gave it.
        ended: whether it succeeded, with the reason if not.
        steps: its tasks by name.
        artifacts: its artifacts by id.
    """

    arguments: Object
    ended: Observation
    steps: dict[str, Object]
    artifacts: dict[str, Object]

    def made(self, step: str, kind: str, name: str = "") -> list[str]:
        """The ids of a step's output artifacts of a type, such as `Dataset`; with `name` of those only."""
        outputs = self.steps.get(step, {}).get("outputs", {})
        return [
            each
            for output, found in outputs.items()
            for each in found["artifact_ids"]
            if (not name or output == name) and self.artifacts.get(each, {}).get("type") == f"system.{kind}"
        ]

    def read(self, step: str) -> set[str]:
        """The ids of a step's input artifacts."""
        inputs = self.steps.get(step, {}).get("inputs", {})
        return {each for found in inputs.values() for each in found["artifact_ids"]}

    @property
    def cached(self) -> tuple[str, ...]:
        """The steps that came from the cache."""
        return tuple(step for step in STEPS if self.steps.get(step, {}).get("cached"))

    @property
    def days(self) -> dict[str, list[str]]:
        """The days whose flights each data set should have."""
        first, last = (date.fromisoformat(self.arguments[name]) for name in ("first_day", "last_day"))
        whole = [str(first + timedelta(number)) for number in range((last - first).days + 1)]
        split = len(whole) - self.arguments["held_out_days"]
        return {"rows": whole[:split], "held_out": whole[split:]}


@check(points=1, domains=DOMAINS)
async def compiles(lab: Lab) -> None:
    """`./pipeline.py` exits with 0 within 60 s and writes `pipeline.yaml`, a pipeline with the four parameters."""
    spec = await lab.once(compiled)
    found: Any = spec.get("pipeline_spec", spec)
    for name in ("root", "inputDefinitions", "parameters"):
        found = found.get(name) if isinstance(found, dict) else None
    given = list(map(str, found)) if isinstance(found, dict) else []
    missing = [name for name in PARAMETERS if name not in given]
    expect(
        Observation(not missing, f"parameters {', '.join(PARAMETERS)}", ", ".join(given) or "no parameters")
    ).because(
        "the arguments of the function under @dsl.pipeline are the pipeline's parameters: whoever starts a run gives "
        "their values. What is written into the function itself is fixed when it is compiled"
    )


@check(points=2, needs=compiles, domains=DOMAINS)
async def runs(lab: Lab) -> None:
    """A run of it succeeds within 240 s, with the steps `prepare`, `train` and `evaluate`.

    Days: 1 to 10 March 2013, three of them held out. The seed is one that the checker draws.
    """
    run = await lab.once(first)
    expect(run.ended).because(
        "each step is a pod of its own: only what is inside the component's function gets there (imports too), and the "
        "packages are those of its image. lab open pipelines shows each step's output"
    )
    missing = [step for step in STEPS if step not in run.steps]
    expect(Observation(not missing, f"steps {', '.join(STEPS)}", f"steps {', '.join(run.steps)}")).because(
        "a task is named after its component's function; set_display_name gives it another name"
    )


@check(points=3, needs=runs, domains=DOMAINS)
async def passes_artifacts(lab: Lab) -> None:
    """`prepare` writes the Datasets `rows` and `held_out` with the right flights, and the later steps read them.

    `rows` has every flight of the first seven days, `held_out` of the last three. `train` reads `rows` and writes a
    Model, and `evaluate` reads that Model and a Dataset of `prepare`.
    """
    run = await lab.once(first)
    expect(outputs(run)).because(
        "a step's outputs are parameters of its function: rows: dsl.Output[dsl.Dataset] is an artifact that KFP keeps, "
        "and the function writes its content to rows.path"
    )
    data = await lab.once(first_content)
    for name in ("rows", "held_out"):
        expect(holds(run, name, data[name])).because(
            "the days' files are put one below another as they are: a CSV file with their columns. What is held out "
            "is held out because nobody has learnt from it"
        )
    for step, wanted in (("train", ["rows"]), ("evaluate", ["rows", "held_out"])):
        given = {each for name in wanted for each in run.made("prepare", "Dataset", name)}
        expect(
            Observation(bool(given & run.read(step)), f"{step} reads a Dataset of prepare", reads(run, step))
        ).because(
            "a step that fetches its data by itself may see other rows than the step before it, and nobody can say "
            "which: hand the artifact on (train(rows=data.outputs['rows'])), and KFP keeps who read what"
        )
    expect(
        Observation(
            bool(set(run.made("train", "Model")) & run.read("evaluate")),
            "evaluate reads the Model of train",
            reads(run, "evaluate"),
        )
    ).because(
        "without the Model as an input nothing says that evaluate comes after train, or which model the number is of"
    )


@check(points=3, needs=passes_artifacts, domains=DOMAINS)
async def metric_is_true(lab: Lab) -> None:
    """`evaluate` logs `auc` to a Metrics artifact: the AUC of that run's Model on its `held_out`, within 1e-6.

    The checker loads the Model with joblib, gives its predict_proba the rows of `held_out` without `late`, and computes
    roc_auc_score itself.
    """
    run, data = await lab.once(first), await lab.once(first_content)
    kept = [run.artifacts[each].get("metadata", {}) for each in run.made("evaluate", "Metrics")]
    found = next((each[METRIC] for each in kept if METRIC in each), None)
    names = ", ".join(name for each in kept for name in each) or "nothing"
    values = numbers([found])
    seen = f"Metrics with {names}" if kept else "no output of type Metrics"
    expect(Observation(values is not None, f"a number {METRIC} in a Metrics artifact of evaluate", seen)).because(
        "metrics: dsl.Output[dsl.Metrics] and metrics.log_metric('auc', value): so a number is kept that runs can be "
        "compared by. What a step returns or prints is not a metric"
    )
    assert values is not None
    logged, score = values[0], data["held_out"]["score"]
    expect(
        Observation(
            "error" not in score, "joblib loads the Model, and it answers", score.get("error", "joblib loads it")
        )
    ).because(
        "joblib.dump(model, model.path) of an estimator whose predict_proba takes the rows as the files have them. "
        "Encoding belongs into it (make_pipeline), and functions of your own can't be loaded elsewhere"
    )
    own, other = score["auc"], data["rows"]["score"].get("auc", -1.0)
    expect(
        Observation(
            abs(logged - own) <= 1e-6,
            f"{METRIC}: within 1e-6 of {own:.7f}, the Model's on held_out",
            f"{logged:.7f}, {abs(logged - own):.1e} away",
        )
    ).because(
        "that is its AUC on `rows`, which it was fitted on: how well it remembers. evaluate has to read `held_out`"
        if abs(logged - other) <= 1e-6
        else "the AUC is that of predict_proba(...)[:, 1] on the flights of `held_out`, unrounded"
    )


@check(points=2, needs=runs, domains=DOMAINS)
async def rerun_hits_the_cache(lab: Lab) -> None:
    """Compiled anew and run with the same arguments, all three steps come from the cache.

    A delivery pipeline compiles at every commit. That run succeeds within 120 s, as it needs no pods.
    """
    run = await lab.once(again)
    expect(run.ended).because("a step from the cache does nothing: what failed here ran once more")
    anew = [step for step in STEPS if step not in run.cached]
    expect(
        Observation(
            not anew, "from the cache: all three steps", f"run again: {', '.join(anew)}" if anew else "all three"
        )
    ).because(
        "KFP compares a step's image, command (its code too) and inputs with those of earlier runs. Something differs "
        "each time: caching is off for the step, its inputs have the time or a random number in them, or a step before "
        "it was run anew, so that it reads a new artifact. lab open pipelines shows each step's inputs"
    )


@check(points=2, needs=runs, domains=DOMAINS)
async def changed_days_miss_the_cache(lab: Lab) -> None:
    """With other days, drawn from April to November, all is made anew: the Datasets have the flights of those days."""
    run = await lab.once(other_days)
    expect(run.ended).because("a pipeline is run with other days than those it was written with")
    data = await contents(lab, run, scores=False) if outputs(run).ok else {}
    for name in ("rows", "held_out"):
        expect(follows(run, name, data[name]) if data else outputs(run)).because(
            "these are not the days of this run. "
            + (
                "prepare came from the cache: the days are no inputs of it (or its cache key is a fixed one), so KFP "
                "can't know that something has changed. Hand the pipeline's parameters to the step"
                if "prepare" in run.cached
                else "The step ran, with days of its own"
            )
        )
    stale = [step for step in ("train", "evaluate") if step in run.cached]
    expect(observe("later steps from the cache", ", ".join(stale) or "none", equal_to("none"))).because(
        "what they read is new, so what they made of older data is worth nothing: a cache key of one's own has to "
        "change with the inputs"
    )


@check(points=2, needs=rerun_hits_the_cache, domains=DOMAINS)
async def changed_seed_keeps_the_data(lab: Lab) -> None:
    """With the days as before and another seed `prepare` comes from the cache, and `train` and `evaluate` run."""
    run = await lab.once(other_seed)
    expect(run.ended).because("the seed is any whole number")
    expect(
        Observation(
            "prepare" in run.cached, "prepare from the cache", f"from the cache: {', '.join(run.cached) or 'none'}"
        )
    ).because(
        "a step's inputs are all that it is given, needed or not. Splitting days needs no seed: a step that gets only "
        "what it reads runs only when that changes"
    )
    kept = [step for step in ("train", "evaluate") if step in run.cached]
    expect(
        Observation(not kept, "train and evaluate run", f"from the cache: {', '.join(kept)}" if kept else "both run")
    ).because("the seed is not an input of train, so another seed changes nothing: hand it on")


async def compiled(lab: Lab) -> Object:
    """Run the program in the workspace, and read what it wrote."""
    await lab.platform.pipelines.ask("GET", "healthz")  # where nothing can run, nothing is judged
    with lab.work.copy(without=PACKAGE) as copy:
        done = await copy.command(PROGRAM, within=COMPILED_WITHIN)
        spec = copy.pipeline(PACKAGE) if done.code == 0 else {}
    how = f"stopped after {done.seconds:.0f} s" if done.code is None else f"exit code {done.code}"
    expect(
        Observation(done.code == 0, f"./{PROGRAM}: exit code 0 within {COMPILED_WITHIN} s", how, None,
                    tuple(line[:200] for line in done.output.splitlines()[-6:]))
    ).because(
        "it compiles the pipeline and needs neither cluster nor data for that. The compiler's message names the "
        "component and what is wrong with it"
    )  # fmt: skip
    return spec


async def first(lab: Lab) -> Run:
    """The run with the days of the task, and a seed that nobody has had before."""
    return await run_of(lab, await lab.once(compiled), known() | {"seed": random.randrange(2**31)}, RUN_WITHIN)


async def again(lab: Lab) -> Run:
    """The same, compiled anew."""
    before = await lab.once(first)
    return await run_of(lab, await compiled(lab), before.arguments, CACHED_WITHIN)


async def other_seed(lab: Lab) -> Run:
    """The same days with another seed."""
    before = await lab.once(first)
    return await run_of(lab, await lab.once(compiled), before.arguments | {"seed": random.randrange(2**31)}, RUN_WITHIN)


async def other_days(lab: Lab) -> Run:
    """Other days, and more of them, with the first run's seed."""
    before, (begin, end) = await lab.once(first), YEAR
    length = random.randint(8, 12)
    day = begin + timedelta(random.randrange((end - begin).days - length))
    last = day + timedelta(length - 1)
    changed = {"first_day": str(day), "last_day": str(last), "held_out_days": random.randint(2, 4)}
    return await run_of(lab, await lab.once(compiled), before.arguments | changed, RUN_WITHIN)


def known() -> Object:
    first_day, last_day, held_out = KNOWN
    return {"first_day": str(first_day), "last_day": str(last_day), "held_out_days": held_out}


async def run_of(lab: Lab, spec: Object, arguments: Object, within: float) -> Run:
    """Start a run and follow it to its end."""
    try:
        run_id = await lab.platform.pipelines.start(spec, arguments)
    except LabError as trouble:
        if getattr(trouble, "status", 0) != 400:  # KFP's word for what is wrong with the question
            raise
        given = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
        expect(Observation(False, f"KFP takes a run with {given}", trouble.message[-300:])).because(
            "a parameter's type is that of the pipeline function's argument: the days are texts (str), held_out_days "
            "and seed whole numbers (int)"
        )
        raise
    ended = await lab.time.eventually(
        lambda: lab.platform.pipelines.run(run_id),
        lab.platform.pipelines.over,
        expected="a run ends", shown=progress, within=within,
    )  # fmt: skip
    details = (ended.value.get("run_details") or {}).get("task_details") or []
    steps = {each["display_name"]: each for each in details}
    await lab.platform.pipelines.end(run_id)
    if ended.value.get("state") != "SUCCEEDED":
        failed = [each for each in details if each.get("state") == "FAILED" and each.get("pod_name")]
        lines = [f"{each['display_name']}: {(each.get('error') or {}).get('message', '')[:200]}" for each in failed]
        for each in failed[:1]:
            text = await lab.platform.pipelines.log(run_id, each["task_id"])
            lines += [line[:200] for line in text.splitlines() if line.strip()][-8:]
        ended = Observation(False, f"a run succeeds within {within:g} s", progress(ended.value), None, tuple(lines))
    return Run(arguments, ended, steps, await lab.platform.pipelines.artifacts(run_id))


def progress(run: Object) -> str:
    """A run's state and those of its steps."""
    details = (run.get("run_details") or {}).get("task_details") or []
    steps = [f"{each['display_name']} {each.get('state', '').lower()}" for each in details]
    reason = (run.get("error") or {}).get("message", "").splitlines()
    return f"{run.get('state', 'PENDING')} ({', '.join(steps) or 'no step yet'})" + (f": {reason[0]}" if reason else "")


def outputs(run: Run) -> Observation:
    """The steps have the outputs that the task names."""
    wanted = {"Dataset rows of prepare": run.made("prepare", "Dataset", "rows"),
              "Dataset held_out of prepare": run.made("prepare", "Dataset", "held_out"),
              "Model of train": run.made("train", "Model")}  # fmt: skip
    missing = [name for name, found in wanted.items() if not found]
    made = [f"{each['type'].removeprefix('system.')} {each['name']}" for each in run.artifacts.values()]
    return Observation(
        not missing,
        f"outputs: {', '.join(wanted)}",
        f"missing: {', '.join(missing)}; made: {', '.join(made) or 'none'}" if missing else f"made: {', '.join(made)}",
    )


def holds(run: Run, name: str, found: Object) -> Observation:
    """A Dataset has the flights of its days, each once, and no others."""
    days = run.days[name]
    right = "error" not in found and not found["missing"] and not found["other"]
    seen = found.get("error") or (
        f"{found['rows']} flights, {' to '.join(found['ends'])}; "
        f"{found['missing']} of the days are missing, {found['other']} are others"
    )
    return Observation(right, f"{name}: the {found['wanted']} flights of {days[0]} to {days[-1]}", seen)


def follows(run: Run, name: str, found: Object) -> Observation:
    """A Dataset has the flights of its days, and none that are not of this run's days."""
    days = run.days[name]
    seen = found.get("error") or (
        f"{found['rows']} flights, {' to '.join(found['ends'])}; {found['missing']} of the days are missing"
    )
    right = "error" not in found and not found["missing"] and not found["strange"]
    return Observation(right, f"{name} follows the run's days: {days[0]} to {days[-1]}", seen)


def reads(run: Run, step: str) -> str:
    """What a step reads, in words."""
    made = {each: f"{by}'s {run.artifacts[each]['name']}" for by in STEPS for each in by_ids(run, by)}
    return f"it reads {', '.join(sorted(made.get(each, 'something else') for each in run.read(step))) or 'no artifact'}"


def by_ids(run: Run, step: str) -> Sequence[str]:
    found = run.steps.get(step, {}).get("outputs", {}).values()
    return [each for output in found for each in output["artifact_ids"] if each in run.artifacts]


async def first_content(lab: Lab) -> Object:
    return await contents(lab, await lab.once(first), scores=True)


async def contents(lab: Lab, run: Run, *, scores: bool) -> Object:
    """What is in a run's Datasets, and with `scores` how good its Model is on each; read in a pod of the checker's."""
    asked = {
        "data": {
            name: {"artifact": run.made("prepare", "Dataset", name)[0], "days": days} for name, days in run.days.items()
        },
        "model": run.made("train", "Model")[0] if scores else "",
    }
    program = (Path(__file__).parent / "score.py").read_text()
    output = await lab.programs.run(
        "components:1", "python3", "/checker/score.py",
        files={"score.py": program}, env={"ASKED": json.dumps(asked)}, within=SCORED_WITHIN,
    )  # fmt: skip
    return output.json()
