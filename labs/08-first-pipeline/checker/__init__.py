"""Lab 08: the learner's compiled pipeline, run with arguments that the checker chooses, once, again, and changed."""

from __future__ import annotations

from mlops_lab.checks import Lab, Observation, check, equal_to, expect, holds, observe

from .anew import knows_only_rows
from .apart import names_of_steps
from .parameters import TYPED, TYPES, are_of_their_types, given_by_steps, taken
from .run import (
    METRIC,
    STEPS,
    as_good,
    by_themselves,
    follows_seed,
    has_flights,
    logged,
    outputs,
    reads,
    true,
)
from .scenario import again, compiled, first, first_content, other_content, other_days, other_seed, seeded
from .seeds import has_seed

LEARNT = 0.55  # of the AUC on what it has learnt from: 4,000 coins come to 0.53 once in a thousand times
DOMAINS = ("ckad/design-and-build",)
ALONE = (
    "whoever asks about one flight gets another answer than for the same one among many. What becomes of a value is "
    "learnt when the Model is fitted, codes of categories (OrdinalEncoder in the pipeline) and what is put into a gap "
    "(SimpleImputer) alike, and not from the flights that it is asked about"
)


@check(points=1, domains=DOMAINS)
async def compiles(lab: Lab) -> None:
    """`./pipeline.py` exits with 0 within 60 s and writes `pipeline.yaml`, a pipeline with the four parameters."""
    given = taken(await lab.once(compiled))
    missing = [name for name in TYPES if name not in given]
    wanted = f"parameters {', '.join(TYPES)}"
    expect(Observation(not missing, wanted, ", ".join(given) or "no parameters")).because(
        "the arguments of the function under @dsl.pipeline are the pipeline's parameters: whoever starts a run gives "
        "their values. What is written into the function itself is fixed when it is compiled"
    )


@check(points=2, needs=compiles, domains=DOMAINS)
async def runs(lab: Lab) -> None:
    """A run of it succeeds within 240 s, with the steps `prepare`, `train` and `evaluate`.

    The checker draws the days, six to ten of a month of January to March 2013 and two or four of them held out; the
    seed is 0. The held-out days have destinations that the days before had not. As the pipeline declares them, the days
    are texts, `held_out_days` and `seed` whole numbers.
    """
    run = await lab.once(first)
    expect(run.ended).because(
        "each step is a pod of its own: only what is inside the component's function gets there (imports too), and the "
        "packages are those of its image. In evaluate the Model meets destinations that it has never seen, and an "
        "encoder refuses what it does not know unless it is told otherwise (handle_unknown). lab open pipelines shows "
        "each step's output"
    )
    missing = [step for step in STEPS if step not in run.left.steps]
    expect(Observation(not missing, f"steps {', '.join(STEPS)}", f"steps {', '.join(run.left.steps)}")).because(
        "a task is named after its component's function; a name that set_display_name gives is shown by pages alone"
    )
    expect(are_of_their_types(await lab.once(compiled))).because(
        f"{TYPED}. A float may have a fraction: KFP takes a run then that holds two and a half days out, and each step "
        "makes of the half what it likes. Where the parameter is an int, such a run is refused before anything runs"
    )


@check(points=3, needs=runs, domains=DOMAINS)
async def passes_artifacts(lab: Lab) -> None:
    """`prepare` writes the Datasets `rows` and `held_out` with the right flights, and the later steps read them.

    `held_out` has every flight of the last days, `rows` of those before them; both have the files' columns and no
    others. `train` reads `rows`, no other artifact, gets no parameter that a step has made, and writes a
    Model; `evaluate` reads that Model and a Dataset of `prepare`.
    """
    run = await lab.once(first)
    expect(outputs(run)).because(
        "a step's outputs are parameters of its function: rows: dsl.Output[dsl.Dataset] is an artifact that KFP keeps, "
        "and the function writes its content to rows.path"
    )
    data = await lab.once(first_content)
    for name in ("rows", "held_out"):
        expect(has_flights(run, name, data[name])).because(
            "the days' files are put one below another as they are: a CSV file with their columns (to_csv writes the "
            "index as one more, unless index=False), and no number in them rounded. What is held out is held out "
            "because nobody has learnt from it"
        )
    for step, wanted in (("train", ["rows"]), ("evaluate", ["rows", "held_out"])):
        given = {each for name in wanted for each in run.made("prepare", "Dataset", name)}
        expect(
            Observation(bool(given & run.read(step)), f"{step} reads a Dataset of prepare", reads(run, step))
        ).because(
            "a step that fetches its data by itself may see other rows than the step before it, and nobody can say "
            "which: hand the artifact on (train(rows=data.outputs['rows'])), and KFP keeps who read what"
        )
    learnt = set(run.made("prepare", "Dataset", "held_out")) & run.read("train")
    expect(Observation(not learnt, "train reads nothing of held_out", reads(run, "train"))).because(
        "what is held out is for evaluate alone: a model that has seen it is judged by what it remembers"
    )
    beside = run.read("train") - set(run.made("prepare", "Dataset", "rows"))
    expect(Observation(not beside, "train reads no artifact but rows", reads(run, "train"))).because(
        "what is fitted to `rows` needs nothing else. A third Dataset with more days in it, or with the destinations "
        "that only the held-out days have, tells train what it can't know on the day when the model is used"
    )
    told = given_by_steps(await lab.once(compiled), "train")
    expect(holds(not told, "train gets no parameter that a step has made", ", ".join(told))).because(
        "an output parameter tells as much as an artifact: the destinations that only the held-out days have, or their "
        "flights, or how many of them were late. What is fitted to `rows` is learnt from `rows`, categories too"
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
    roc_auc_score itself. A few of those flights, asked about by themselves, must have the same probabilities, and so
    must one alone. On `rows`, which it was fitted to, the AUC must be 0.55 at least: a coin has 0.5. The run with other
    days, of which some held-out flights have gaps in their weather, logs what its Model is worth on all of them. That
    Model answers for rows with gaps as they are; asked about by themselves, those flights have the same probabilities,
    too.
    """
    run, data = await lab.once(first), await lab.once(first_content)
    number = logged(run)
    expect(number).because(
        "metrics: dsl.Output[dsl.Metrics] and metrics.log_metric('auc', value): so a number is kept that runs can be "
        "compared by. What a step returns or prints is not a metric"
    )
    score = data["held_out"]["score"]
    expect(
        Observation(
            "error" not in score, "joblib loads the Model, and it answers", score.get("error", "joblib loads it")
        )
    ).because(
        "joblib.dump(model, model.path) of an estimator whose predict_proba takes the rows as the files have them. "
        "Encoding belongs into it (make_pipeline), and functions of your own can't be loaded elsewhere"
    )
    said = data["held_out"]["said"]
    expect(by_themselves(said, data["held_out"]["some"])).because(ALONE)
    expect(by_themselves(said, data["held_out"]["one"], [0])).because(
        "a table of one row is a table: squeeze() makes a single value of it, which the next step does not take. "
        f"Besides, {ALONE}"
    )
    own, other = score["auc"], data["rows"]["score"].get("auc", -1.0)
    expect(true(number.value, own)).because(
        "that is its AUC on `rows`, which it was fitted on: how well it remembers. evaluate has to read `held_out`"
        if abs(number.value - other) <= 1e-6
        else "the AUC is that of predict_proba(...)[:, 1] on all flights of `held_out`, unrounded"
    )
    remembered = data["rows"]["score"].get("error") or f"{other:.4f}"
    wanted = f"{METRIC} of the Model on rows: {LEARNT} or more"
    expect(Observation(other >= LEARNT, wanted, remembered)).because(
        "those are the flights that it was fitted to: a model that does not tell late from punctual even there has "
        "learnt nothing. Is it fitted to `rows`, and does it get their columns? One that weighs columns, as "
        "SGDClassifier does, needs them on one scale (StandardScaler in the pipeline), lest large ones drown small ones"
    )
    later = await lab.once(other_days)
    if not later.ended.ok or later.cached or not outputs(later).ok:
        return  # what is wrong then is another check's matter
    number, whole = logged(later), await lab.once(other_content)
    held_out, score = whole["held_out"], whole["held_out"]["score"]
    expect(number).because("a run's number is that of its own days: evaluate logs it each time")
    if all(has_flights(later, name, whole[name]).ok for name in later.days):  # else that is another check's matter
        wanted = "the Model of other days answers for their flights, some of which have gaps in their weather"
        expect(holds("auc" in score, wanted, str(score.get("error")))).because(
            "it is loaded as the first one was, and gets the rows as they are. What fills gaps belongs into it "
            "(SimpleImputer in the pipeline): what train and evaluate fill beforehand nobody else fills"
        )
    if "auc" in score:
        expect(true(number.value, score["auc"])).because(
            "these are other days, and some of their flights have gaps in their weather. The number is that of all "
            "flights of `held_out`: who leaves some out judges the Model on others than it will be asked about"
        )
        if gaps := held_out.get("gaps"):
            expect(by_themselves(held_out["said"], held_out["some"], gaps)).because(
                f"these are the flights of other days that have gaps in their weather; {ALONE}"
            )


@check(points=2, needs=runs, domains=DOMAINS)
async def rerun_hits_the_cache(lab: Lab) -> None:
    """Compiled anew and run with the same arguments, all steps come from the cache: the three, and any of your own.

    A delivery pipeline compiles at every commit: this time it is another day, by the time zone that the program gets.
    That run succeeds within 120 s, as no step runs.
    """
    run = await lab.once(again)
    expect(run.ended).because("a step from the cache does nothing: what failed here ran once more")
    anew = run.run_anew(names_of_steps(await lab.once(compiled)))
    expect(
        Observation(not anew, "from the cache: all steps", f"run again: {', '.join(anew)}" if anew else "all")
    ).because(
        "KFP compares a step's image, command (its code too) and inputs with those of earlier runs. Something differs "
        "each time: caching is off for the step, its inputs have the time, the day, the week or a random number in "
        "them, or a step before it was run anew, so that it reads a new artifact. lab open pipelines shows each step's "
        "inputs"
    )


@check(points=2, needs=passes_artifacts, domains=DOMAINS)
async def changed_days_miss_the_cache(lab: Lab) -> None:
    """With other days, from September into November, all is made anew: the Datasets have their flights.

    A month ends within those that are held out, and some of their flights have gaps in their weather, which stay gaps.
    """
    run = await lab.once(other_days)
    expect(run.ended).because(
        "a pipeline is run with other days than those it was written with. These go beyond the end of a month, and "
        "some of their flights have gaps in their weather: a classifier that takes none (`Input X contains NaN`) needs "
        "what fills them before it in the Model (SimpleImputer in the pipeline). lab open pipelines shows each step's "
        "output"
    )
    data = await lab.once(other_content) if outputs(run).ok else {}
    for name in ("rows", "held_out"):
        expect(has_flights(run, name, data[name]) if data else outputs(run)).because(
            "these are not the flights of this run's days, as the days' files have them. "
            + (
                "prepare came from the cache: the days are no inputs of it (or its cache key is a fixed one), so KFP "
                "can't know that something has changed. Hand the pipeline's parameters to the step"
                if "prepare" in run.cached
                else "The step ran. A month ends before the held-out days do, so they are counted as dates, and not by "
                "their number in the month; and an empty field stays empty, with no 0 and no NA in it: the Model deals "
                "with gaps"
            )
        )
    stale = [step for step in ("train", "evaluate") if step in run.cached]
    expect(observe("later steps from the cache", ", ".join(stale) or "none", equal_to("none"))).because(
        "what they read is new, so what they made of older data is worth nothing: a cache key of one's own has to "
        "change with the inputs"
    )


@check(points=2, needs=(passes_artifacts, rerun_hits_the_cache), domains=DOMAINS)
async def changed_seed_keeps_the_data(lab: Lab) -> None:
    """With the days as before and another seed `prepare` comes from the cache, and `train` and `evaluate` run.

    The seed is the `random_state` of the classifier that `train` has made, or of each in it if it is made of several,
    in the first run, with 0, as well; and a forest of another seed is another one. In this run only `prepare` finds
    days' files in its image; the Model is as good as before on `held_out`. Made anew so with the first seed, it says of
    each flight of `held_out` what the first Model says, unless it draws by chance.
    """
    run = await lab.once(other_seed)
    expect(run.ended).because(
        "the seed is any whole number. And train and evaluate find no days' files in their image this time: what they "
        "need is in the artifacts that they read"
    )
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
    found, begun = await lab.once(seeded), await lab.once(first_content)
    made = found["params"]
    expect(has_seed(made, run)).because(
        "whoever sees the seed of a run takes it for what the model was made with: hand it to the classifier itself, "
        "as random_state=seed. BaggingClassifier and AdaBoostClassifier need it themselves: each copy of what is in "
        "them gets another one, drawn with theirs. VotingClassifier and StackingClassifier have none, and so each "
        "classifier in them needs it"
    )
    expect(has_seed(begun["params"], await lab.once(first))).because(
        "that is the first run's Model. 0 is a seed like any other; `seed or 42` and `if seed` take it for none"
    )
    before, now = begun["held_out"], found["held_out"]
    expect(follows_seed(made, before["said"], now["said"])).because(
        "a classifier draws with the random_state that it has when it is fitted. One that is set afterwards is a "
        "label: whoever makes the model anew from its seed gets another one"
    )
    if "auc" in before["score"] and "auc" in now["score"]:
        expect(as_good(before["score"]["auc"], now["score"]["auc"])).because(
            "the rows are the same, and nothing else was there to learn from: the Model before knew more than `rows`. "
            "train fits to what it reads alone; days' files that it takes from its image are in no artifact, and "
            "held-out flights may be among them"
        )
    if lab.thorough(changed_seed_keeps_the_data):
        expect(await lab.once(knows_only_rows)).because(
            "the first run's rows and seed were given to `train` once more, and no days' files: it made another Model, "
            "and the same one each time that it was asked to. So the one before was made of days' files in the image "
            "as well, which no artifact tells of. train fits to what it reads alone, and so does each part of the "
            "Model: an encoder that is given the categories of other days knows destinations that `rows` has not"
        )
