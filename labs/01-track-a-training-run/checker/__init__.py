"""Lab 01: the newest run of the lab's experiment, and what its logged model does when somebody else loads it."""

from __future__ import annotations

from mlops_lab.checks import Lab, Observation, check, equal_to, expect, holds, observe
from mlops_lab.kit import jobs
from mlops_lab.kit.presence import exists
from mlops_lab.kube.client import Object

from .parameters import parameters
from .recorded import before_or_after, context, size, started_beside, text_values
from .scenario import ABOVE, FARTHEST, NAME, answered, newest, scored, unable
from .why import SUSPECTS, described, why_apart, why_refused

WITHIN = 180  # s for the Job, its pod's start included
METRIC = "auc_held_out"
UNHEARD_OF = 0.15  # by which no model is better on days that it has not seen than on those that it was fitted to
SEEN, NEAR = 0.001, 0.1  # what counts as another model, and the part of that which is next to nothing
GAIN, NEARER = 0.02, 0.5  # where it is so much better, this part: what draws at random is never next to nothing
# Of flights; a neighbour that is as near as another may be left out when fewer are asked about. Flights that are alike
# in what is unusual may all have such neighbours.
TIES, ALIKE = 0.2, 0.5
JANUARY = 0.75  # in summer; of honest models that have seen January alone few have more than 0.7, and none 0.74
COIN = 0.515  # what tossing a coin does not give for some 28,000 flights
CONTEXTS = ("training", "train")  # autologging says train
DOMAINS = ("ckad/observability-and-maintenance",)


@check(points=1, domains=("ckad/design-and-build",))
async def finishes_a_run(lab: Lab) -> None:
    """Job `train` completes, and the newest run of the lab's MLflow experiment has the status FINISHED.

    The checker waits up to 180 s for the Job. The experiment is the one that MLFLOW_EXPERIMENT_NAME names. Nested runs
    do not count. The run has to begin while the Job runs, and until then no other pod may start, from the Job's start
    on, that is told where MLflow is.
    """
    await exists(
        lab, "Job", "train", "kubectl replace --force -k . makes the ConfigMap of train.py and the Job that runs it"
    )
    ended = await jobs.ended(lab, "train", within=WITHIN)
    expect(ended).because("kubectl logs job/train has what train.py printed, and the exception that ended it")
    found = (await lab.once(newest)) or {}
    job = await lab.objects.named("Job", "train").present()
    name = f"run {found['info'].get('run_name', '')}" if found else "there is none"
    expect(Observation(bool(found), f"a run in the experiment {lab.platform.mlflow.name}", name)).because(
        "mlflow.start_run() makes a run on the server that MLFLOW_TRACKING_URI names, in the experiment that "
        "MLFLOW_EXPERIMENT_NAME names; the Job has both as environment. What a program prints, or logs to a folder or "
        "an experiment of its own, is not there: lab open mlflow shows what is"
    )
    seconds = before_or_after(found, job)
    expect(
        Observation(
            not seconds,
            "the newest run began while the Job ran",
            f"it began {abs(seconds):.0f} s {'before the Job' if seconds < 0 else 'after its end'}"
            if seconds
            else "it did",
        )
    ).because(
        "the newest run is another program's: the Job completed, and what it logged is older, or is nowhere. Its pod "
        "runs train.py, and the run is begun there"
    )
    others = started_beside(await lab.objects.all("Pod"), job, found)
    expect(
        holds(
            not others,
            "no other pod that is told where MLflow is was started between the Job and the run",
            f"so was {', '.join(others)}",
        )
    ).because(
        "who has begun the run nobody can tell then, and it has to be the Job. Delete the other one, and run the Job "
        "again: kubectl replace --force -k ."
    )
    expect(observe("status of the newest run", found["info"]["status"], equal_to("FINISHED"))).because(
        "RUNNING after the end of the Job means that nobody said the run is over, FAILED that an exception left it. "
        "with mlflow.start_run(): ends it in either case; who makes a run by MlflowClient.create_run has to call "
        "set_terminated"
    )


@check(points=2, needs=finishes_a_run, domains=DOMAINS)
async def logs_the_model(lab: Lab) -> None:
    """The run logged a model `model` that MLflow loads, with a probability for each flight of the held-out week.

    It is loaded with mlflow.sklearn.load_model. Its predict_proba gets the rows as the files have them, without `late`;
    if it has a signature, only the columns that this names.
    """
    answer = await lab.once(scored)
    files = ", ".join(answer.get("files", ()))
    none = f"none; its artifacts: {files}" if files else "none, and no artifacts either"
    expect(
        Observation(
            "model" in answer,
            f"a logged model of the run, by the name {NAME}",
            f"logged model {answer['model']}" if "model" in answer else none,
        )
    ).because(
        "a model is logged with mlflow.sklearn.log_model: beside the estimator that keeps which flavour it is, what it "
        "needs and takes, and which run it came from. A pickle that was put there as an artifact is a file of bytes. "
        f"Whoever looks for it knows the name that was agreed: name='{NAME}'"
    )
    expect(holds("error" not in answer, "MLflow loads the model", answer.get("error", ""))).because(
        "whoever loads the model has the image's packages and not your train.py"
    )
    expect(answered(answer["held_out"], answer["rows"]["held_out"], "the held-out week")).because(
        "whoever loads the model has rows as the files have them. If columns are encoded, filled or scaled before fit, "
        "outside the estimator, nobody else can do the same: make these steps and the classifier one Pipeline, and log "
        "that"
    )


@check(points=3, needs=logs_the_model, domains=DOMAINS)
async def metric_is_true(lab: Lab) -> None:
    """The logged metric `auc_held_out` is the AUC of the logged model on the held-out week, within 1e-6.

    The checker computes it anew, of `late` and the model's probabilities, 22 to 28 January. 30 flights of that week,
    which it draws and asks about without the rest, have to get the same ones, and so have 30 of the training days, half
    of them without weather; so have the 12 flights of that week that are the most unusual by their distance, and those
    by each kind of weather; one alone has to get an answer. It also fits the same estimator to the training days, what
    is frozen in it too, which must not raise: the logged one may not be better by more than 0.05 on a week that it has
    not seen, or on the two weeks after, than the best of four fits; nor may it be better by more than 0.15 on that week
    than on the days that it was fitted to, or on the two weeks after. Nor may its answers be those that the same
    estimator gives, fitted to that week as well, in all its steps or in those before a pipeline's last; or, where
    something in it is frozen, or stacked on as it is, fitted to that week in what is not. Where it is better by more
    than 0.02, answers that are at most half as far from those as from the ones without that week count as such. Nor may
    a step in it have counted more flights than the training days have.
    """
    answer, found = await lab.once(scored), await lab.once(newest) or {}
    own = answer["held_out"]["auc"]
    kept = {each["key"]: float(each["value"]) for each in found["data"].get("metrics", [])}
    names = ", ".join(sorted(kept)) or "none"
    logged = kept.get(METRIC)
    expect(Observation(logged is not None, f"a metric {METRIC}", f"the run's metrics: {names}")).because(
        "mlflow.log_metric(name, value) logs a number that can be compared and plotted; a param, a tag or a printed "
        "line is text"
    )
    assert logged is not None
    expect(
        Observation(
            abs(logged - own) <= 1e-6,
            f"{METRIC}: within 1e-6 of {own:.7f}, which the logged model gives",
            f"{logged:.7f}, {abs(logged - own):.1e} away",
            logged,
            what=METRIC,
        )
    ).because(why_apart(logged, answer))
    for seen in asked_alone(answer):
        expect(seen).because(
            "what the model says of a flight hangs on those that are asked about with it: a step makes numbers of the "
            "rows that come, such as pandas' codes of a category, their rank, or their mean, perhaps only for what is "
            "missing, or bounds at which it cuts what is unusual. Whoever asks about one flight gets something else "
            "than was measured. Such a step has to learn in fit, and keep what it has learnt"
        )
    one = answer.get("one", {})
    expect(holds("error" not in one, "an answer for one flight of that week alone", one.get("error", ""))).because(
        "a step takes a table of one row for something else, as pandas' squeeze() does, which makes a single value of "
        "it. Whoever stands at the counter asks about one flight"
    )
    expect(
        holds(
            "unfit" not in answer, "an estimator that can be fitted anew, to 1 to 21 January", answer.get("unfit", "")
        )
    ).because(
        "what a model has learnt from shows beside the same estimator, fitted to the training days: the checker makes "
        "a clone of the logged one, as sklearn.base.clone does, and calls its fit. A class of your own inherits from "
        "BaseEstimator, keeps what its __init__ gets under the same names, and fits all that is in it in fit"
    )
    honest = answer["fitted"]["held_out"].get("auc", own)  # none where fitting takes long: nothing is held against it
    expect(
        Observation(
            own <= honest + ABOVE["held_out"],
            f"at most {ABOVE['held_out']} above {honest:.3f}, which the same estimator has, fitted to 1 to 21 January",
            f"{own:.3f}",
            what=f"AUC on the held-out week, where the same estimator, fitted to 1 to 21 January, has {honest:.3f}",
        )
    ).because(
        "the logged model knows the held-out week: it was fitted to it too, or a part of it has the labels in it. Such "
        "a number says how well it remembers. Fit on the training days, and touch the other week only to measure"
    )
    after = answer["after"].get("auc", 0.0)  # none where answering or fitting takes long
    there = answer["fitted"]["after"].get("auc", after)
    expect(
        Observation(
            after <= there + ABOVE["after"],
            f"on 29 January to 11 February at most {ABOVE['after']} above {there:.3f}, which the same estimator has "
            "there, fitted to 1 to 21 January",
            f"{after:.3f}",
            what=f"AUC on 29 January to 11 February, where that estimator has {there:.3f}",
        )
    ).because(
        "the logged model knows these days: it was fitted to them too, or a part of it has their labels in it. The "
        "task is three weeks of January. Whoever fits it again, to the days that are agreed, gets another model"
    )
    part = NEARER if own - honest > GAIN else NEAR
    for name, (learnt, why) in SUSPECTS.items():
        if not (away := answer["apart"][name]):  # where fitting takes long, or the estimator has no such parts
            continue
        expect(
            Observation(
                not (away["honest"] > SEEN and away["suspect"] <= part * away["honest"]),
                f"for the held-out week not the answers of the same estimator, {learnt}",
                f"{away['suspect']:.4f} away from these, and {away['honest']:.4f} from those of 1 to 21 January alone",
                what=f"the model's answers for that week, beside those of the same estimator, {learnt}",
            )
        ).because(why)
    count, rows = answer["counted"], answer["rows"]["training"]
    expect(
        Observation(
            count <= rows,
            f"no step of the model was fitted to more than the {rows} flights of 1 to 21 January",
            f"one was fitted to {count:.0f}" if count else "none counts its flights",
            what="steps of the model",
        )
    ).because(
        "what prepares the columns learns, too: a scaler's means and an encoder's categories are those of the rows "
        "that its fit is given. With the held-out week among them the model has seen that week. One Pipeline, whose "
        "fit gets the training days alone, keeps all steps from it"
    )
    for name, where, why in (
        ("training", "the training days", "on flights that it has never seen than on those that it was fitted to"),
        ("after", "29 January to 11 February", "in one week that it has not seen than in the two that come next"),
    ):
        seen = answer[name].get("auc", own)  # none where answering takes long
        expect(
            Observation(
                own <= seen + UNHEARD_OF,
                f"on the held-out week at most {UNHEARD_OF} above {seen:.3f}, its AUC on {where}",
                f"{own:.3f}",
                what=f"AUC on the held-out week, beside {seen:.3f} on {where}",
            )
        ).because(
            f"no honest model is so much better {why}: the labels of the held-out week are in it, perhaps by a table "
            "or an average that was made of all rows. Touch that week only to measure"
        )


@check(points=2, needs=logs_the_model, domains=DOMAINS)
async def refuses_other_rows(lab: Lab) -> None:
    """The model's signature lets good rows pass and refuses others: with a column missing, or one of another type.

    That is text for a number, or a number for text. Each of its columns in turn; one in which the training rows have
    missing values may be left out. Loaded with mlflow.pyfunc.load_model, as a server does: MLflow has to refuse before
    the model sees the rows.
    """
    signature = (await lab.once(scored))["signature"]
    expect(
        Observation(bool(signature["columns"]), "a signature with named columns", described(signature["columns"]))
    ).because(
        "the signature says which columns, and of which types, the model takes. MLflow takes it from signature= "
        "(mlflow.models.infer_signature of the rows and answers) or from input_example=; without one it passes on "
        "whatever comes"
    )
    trouble = signature.get("error", "")
    answers = holds("error" not in signature, "answers for 50 flights of the held-out week", trouble)
    expect(answers).because(why_refused(trouble, signature["columns"]))
    passed = [what for what, refused in signature["refuses"].items() if not refused]
    tried = ", ".join(list(signature["refuses"])[:2])
    expect(
        Observation(bool(tried), "a signature with columns of the flights", described(signature["columns"]))
    ).because(
        "none of these columns is in the files without `late`, and all are optional: any rows at all would do. Infer "
        "the signature from the rows that the model is fitted on"
    )
    expect(
        Observation(
            not passed,
            "MLflow refuses other rows",
            f"not refused: {', '.join(passed[:4])}"
            if passed
            else f"it refuses all {len(signature['refuses'])} kinds that were tried, such as {tried}",
        )
    ).because(
        "a column that the signature calls optional, or a type that takes anything, lets mistakes through to the model"
    )


@check(points=2, needs=logs_the_model, domains=DOMAINS)
async def params_are_true(lab: Lab) -> None:
    """The run has every parameter that you set on the classifier, and each one logged is what the model really has.

    A name may stand alone (`max_iter`) or with its step (`classifier__max_iter`). Of an estimator that holds another,
    both count, also where the inner one is frozen. Other params are your own business: those of other steps and of a
    search too, or by names that no classifier in the model has.
    """
    made, found = (await lab.once(scored))["params"], await lab.once(newest) or {}
    model = parameters(made)
    tells = model is not None and bool(model.own)
    expect(holds(tells, "a model that tells its parameters", str(made.get("error", "")))).because(
        "scikit-learn's estimators tell by get_params() what they were made with, and a class of your own does if it "
        "inherits from sklearn.base.BaseEstimator"
    )
    assert model is not None
    logged = text_values(found["data"].get("params", []))
    false = model.false(logged)
    expect(holds(not false, "logged parameters are those of the model", "; ".join(false))).because(
        "a number that is typed twice, into the estimator and into log_param, will differ one day. Keep it once: a "
        "dict that goes to both, or model.get_params(), or mlflow.sklearn.autolog()"
    )
    missing = model.missing(logged)
    expect(
        Observation(
            not missing,
            f"the parameters of {model.kinds} that you set",
            f"not logged: {', '.join(missing)}"
            if missing
            else f"{', '.join(model.chosen)} logged"
            if model.chosen
            else "none was set",
        )
    ).because(
        "without them nobody can make this model again, or say in what two runs differ. mlflow.log_params takes a "
        "dict. Where two estimators in one another have a parameter of the same name, log it with the step before it, "
        "as get_params() names it"
    )


@check(points=2, needs=finishes_a_run, domains=DOMAINS)
async def dataset_is_recorded(lab: Lab) -> None:
    """The run has the training data as an input: with a digest, the context `training`, and as many rows as there are.

    These are the flights of 1 to 21 January, with or without the few whose weather is missing; the held-out week is not
    among them. Whether they are the right ones the checker cannot tell: a digest is another one for other columns,
    types, or another order.
    """
    found, rows = await lab.once(newest) or {}, (await lab.once(scored))["rows"]
    inputs = found.get("inputs", {}).get("dataset_inputs", [])
    used = [each["dataset"] for each in inputs if context(each) in CONTEXTS]
    contexts = ", ".join(context(each) or "without context" for each in inputs) or "none"
    expect(Observation(bool(used), "a dataset input with the context training", f"dataset inputs: {contexts}")).because(
        "mlflow.log_input(mlflow.data.from_pandas(rows, source=...), context='training') keeps the data's schema, size "
        "and digest with the run: months later it shows whether two models saw the same rows"
    )
    sizes = [size(each) for each in used if each.get("digest")]
    expect(
        Observation(
            len(set(sizes)) == 1 and sizes[0] in (rows["training"], rows["complete"]),
            f"a digest, and the {rows['training']} flights of 1 to 21 January, or the {rows['complete']} with weather",
            ", ".join(f"{number} rows" for number in sizes) or "no digest",
        )
    ).because(
        f"with the held-out week it would be {rows['training'] + rows['held_out']} rows, and that week alone has "
        f"{rows['held_out']}. The input is what fit gets, whole, and nothing else"
    )


@check(points=2, needs=logs_the_model, domains=DOMAINS)
async def answers_for_other_days(lab: Lab) -> None:
    """The logged model has a probability for every flight of 30 days that the checker draws from June to August.

    On one of them some flights have no weather. Their AUC is above 0.515: tossing a coin gives 0.5, and by luck 0.51.
    And it is at most 0.1 above that of the same estimator, fitted to the training days alone, and at most 0.75: no
    other days were to be touched. For flights of other days, these or 22 January to 11 February, for which the logged
    model has an answer, that one has to have one, too.
    """
    answer = await lab.once(scored)
    expect(answered(answer["other"], answer["rows"]["other"], "30 days of summer")).because(
        "in summer there are flights to islands that nobody flies to in January. What is to be done with a category "
        "that training has not seen has to be said to the encoder: its handle_unknown is 'error' by default. And "
        "weather may be missing, as in January: what is to be done then (SimpleImputer?) belongs to the model, also "
        "to one that was fitted to complete rows alone"
    )
    auc = answer["other"]["auc"]
    expect(
        Observation(
            auc > COIN,
            f"AUC on 30 days of summer: more than {COIN}",
            f"{auc:.3f}",
            auc,
            what="AUC on 30 days of summer",
        )
    ).because("a coin gives 0.5, and by luck 0.51: this model has learnt nothing that holds for other days")
    trouble = unable(answer)
    expect(
        holds(
            not trouble,
            "no exception of the same estimator, fitted to 1 to 21 January, where the logged one has an answer",
            trouble,
        )
    ).because(
        "fitted to the training days alone, the same estimator has no answer for flights that the logged one answers "
        "for. What that one knows of them it has from elsewhere: from other days that a step was fitted to, such as "
        "an encoder that was to know all codes. Fit all steps to the training days, and say by parameters what is to "
        "be done with other codes: handle_unknown=, or categories= where you know them without looking at other days"
    )
    honest = answer["fitted"]["other"].get("auc", auc)  # none where fitting takes long
    expect(
        Observation(
            auc <= honest + ABOVE["other"],
            f"at most {ABOVE['other']} above {honest:.3f}, which the same estimator has there, fitted to 1 to 21 "
            "January",
            f"{auc:.3f}",
            auc,
            what=f"AUC there, where the same estimator, fitted to 1 to 21 January, has {honest:.3f}",
        )
    ).because(
        "the logged model knows the summer: it was fitted to days of it, too, and the task is three weeks of January. "
        "Whoever fits it again, to the days that are agreed, gets another model"
    )
    known = Observation(
        auc <= JANUARY, f"AUC on 30 days of summer: at most {JANUARY}", f"{auc:.3f}", auc,
        what=f"AUC there, of at most {JANUARY}",
    )  # fmt: skip
    expect(known).because(
        "what is fitted to three weeks of January has 0.6 to 0.7 there, and at best 0.735. Something in this model "
        "knows more, and it is no product of fit: a table or an average, made of other days' labels, that a step was "
        "given"
    )


def asked_alone(answer: Object) -> list[Observation]:
    """Whether flights get the same probabilities without the rest; not asked where the model has none for these days.

    Of the unusual ones there is one observation: of the first that do not, else of all.
    """
    drawn = {"few": "30 flights of that week", "gaps": "30 flights of the training days, half of them without weather,"}
    found = [same_alone(answer[name], which, TIES) for name, which in drawn.items() if answer.get(name)]
    unusual = {
        column: same_alone(
            answer[name], f"the 12 flights of that week whose {column} is farthest from its median", ALIKE
        )
        for name, column in FARTHEST.items()
        if answer.get(name)
    }
    if wrong := next((each for each in unusual.values() if not each.ok), None):
        return [*found, wrong]
    if unusual:
        which = "the 12 flights of that week that are farthest from the median"
        counts = ", ".join(f"{each.value} by {column}" for column, each in unusual.items())
        found.append(Observation(True, which, f"others for {counts}", what=f"{which}, without the rest"))
    return found


def same_alone(alone: Object, which: str, most: float) -> Observation:
    """Whether at most this part of some flights gets other probabilities without the rest."""
    others = alone.get("others")
    return Observation(
        "error" not in alone and alone["others"] <= most * alone["rows"],
        f"the same probabilities for {which} when they are asked about without the rest",
        alone.get("error") or f"others for {others} of {alone['rows']}",
        others,
        what=f"{which} without the rest",
    )
