"""Lab 01: the newest run of the lab's experiment, and what its logged model does when somebody else loads it."""

from __future__ import annotations

from mlops_lab.checks import Lab, Observation, check, equal_to, expect, holds, observe
from mlops_lab.kit import jobs
from mlops_lab.kit.presence import exists

from .recorded import context, same, size, text_values
from .scenario import answered, newest, scored
from .why import described, why_apart

WITHIN = 180  # s for the Job, its pod's start included
METRIC = "auc_held_out"
CONTEXTS = ("training", "train")  # autologging says train
DOMAINS = ("ckad/observability-and-maintenance",)


@check(points=1, domains=("ckad/design-and-build",))
async def finishes_a_run(lab: Lab) -> None:
    """Job `train` completes, and the newest run of the lab's MLflow experiment has the status FINISHED.

    The checker waits up to 180 s for the Job. The experiment is the one that MLFLOW_EXPERIMENT_NAME names.
    """
    await exists(
        lab, "Job", "train", "kubectl replace --force -k . makes the ConfigMap of train.py and the Job that runs it"
    )
    ended = await jobs.ended(lab, "train", within=WITHIN)
    expect(ended).because("kubectl logs job/train has what train.py printed, and the exception that ended it")
    found = (await lab.once(newest)) or {}
    name = f"run {found['info'].get('run_name', '')}" if found else "there is none"
    expect(Observation(bool(found), f"a run in the experiment {lab.platform.mlflow.name}", name)).because(
        "mlflow.start_run() makes a run on the server that MLFLOW_TRACKING_URI names, in the experiment that "
        "MLFLOW_EXPERIMENT_NAME names; the Job has both as environment. What a program prints, or logs to a folder or "
        "an experiment of its own, is not there: lab open mlflow shows what is"
    )
    expect(observe("status of the newest run", found["info"]["status"], equal_to("FINISHED"))).because(
        "RUNNING after the end of the Job means that nobody said the run is over, FAILED that an exception left it. "
        "with mlflow.start_run(): ends it in either case; who makes a run by MlflowClient.create_run has to call "
        "set_terminated"
    )


@check(points=2, needs=finishes_a_run, domains=DOMAINS)
async def logs_the_model(lab: Lab) -> None:
    """The run logged a model that MLflow loads, and that gives a probability for each flight of the held-out week.

    It is loaded with mlflow.sklearn.load_model. Its predict_proba gets the rows as the files have them, without `late`;
    if it has a signature, only the columns that this names.
    """
    answer = await lab.once(scored)
    files = ", ".join(answer.get("files", ()))
    none = f"none; its artifacts: {files}" if files else "none, and no artifacts either"
    expect(
        Observation(
            "model" in answer,
            "a logged model of the run",
            f"logged model {answer['model']}" if "model" in answer else none,
        )
    ).because(
        "a model is logged with mlflow.sklearn.log_model: beside the estimator that keeps which flavour it is, what it "
        "needs and takes, and which run it came from. A pickle that was put there as an artifact is a file of bytes"
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

    The checker computes it anew: roc_auc_score of `late` and the model's probabilities, 22 to 28 January.
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
        )
    ).because(why_apart(logged, answer))


@check(points=2, needs=logs_the_model, domains=DOMAINS)
async def refuses_other_rows(lab: Lab) -> None:
    """The model's signature lets good rows pass and refuses others: with a column missing, or text for a number.

    Loaded with mlflow.pyfunc.load_model, as a server does. MLflow has to refuse before the model sees the rows.
    """
    signature = (await lab.once(scored))["signature"]
    expect(
        Observation(bool(signature["columns"]), "a signature with named columns", described(signature["columns"]))
    ).because(
        "the signature says which columns, and of which types, the model takes. MLflow takes it from signature= "
        "(mlflow.models.infer_signature of the rows and answers) or from input_example=; without one it passes on "
        "whatever comes"
    )
    answers = holds("error" not in signature, "answers for 50 flights of the held-out week", signature.get("error", ""))
    expect(answers).because(
        f"the signature asks for {described(signature['columns'])}. Who wants to know whether a flight will be late "
        "does not have `late`: infer the signature from the rows that the model is fitted on, not from the whole file"
    )
    passed = [what for what, refused in signature["refuses"].items() if not refused]
    tried = ", ".join(signature["refuses"])
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
            f"not refused: {', '.join(passed)}" if passed else f"it refuses {tried}",
        )
    ).because(
        "a column that the signature calls optional, or a type that takes anything, lets mistakes through to the model"
    )


@check(points=2, needs=logs_the_model, domains=DOMAINS)
async def params_are_true(lab: Lab) -> None:
    """The run has every parameter that you set on the classifier, and each one logged is what the model really has.

    A name may stand alone (`max_iter`) or with its step (`classifier__max_iter`). Other params are your own business.
    """
    made, found = (await lab.once(scored))["params"], await lab.once(newest) or {}
    expect(holds("error" not in made, "a model that tells its parameters", made.get("error", ""))).because(
        "scikit-learn's estimators tell by get_params() what they were made with, and a class of your own does if it "
        "inherits from sklearn.base.BaseEstimator"
    )
    logged = text_values(found["data"].get("params", []))
    plain = {name: name.removeprefix("best_") for name in logged}
    false = [
        f"{name} is {logged[name]}, the model has {' or '.join(made['used'][key])}"
        for name, key in plain.items()
        if key in made["used"] and not any(same(logged[name], value) for value in made["used"][key])
    ]
    expect(holds(not false, "logged parameters are those of the model", "; ".join(false))).because(
        "a number that is typed twice, into the estimator and into log_param, will differ one day. Keep it once: a "
        "dict that goes to both, or model.get_params(), or mlflow.sklearn.autolog()"
    )
    ends = {key.rpartition("__")[2] for key in plain.values()}
    missing = [f"{name}={value}" for name, value in made["chosen"].items() if name not in ends]
    known = [name for name, key in plain.items() if key in made["used"]]
    expect(
        Observation(
            not missing and bool(known),
            f"the parameters of {made['estimator']} that you set",
            f"not logged: {', '.join(missing) or 'any of them'}"
            if missing or not known
            else f"{', '.join(made['chosen']) or 'all'} logged",
        )
    ).because(
        "without them nobody can make this model again, or say in what two runs differ. mlflow.log_params takes a dict"
    )


@check(points=2, needs=finishes_a_run, domains=DOMAINS)
async def dataset_is_recorded(lab: Lab) -> None:
    """The run has the training data as an input: with a digest, the context `training`, and as many rows as there are.

    These are the flights of 1 to 21 January; the held-out week is not among them.
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
            rows["training"] in sizes,
            f"a digest, and the {rows['training']} flights of 1 to 21 January",
            ", ".join(f"{number} rows" for number in sizes) or "no digest",
        )
    ).because(
        f"with the held-out week it would be {rows['training'] + rows['held_out']} rows, and that week alone has "
        f"{rows['held_out']}. The input is what fit gets, whole, and nothing else"
    )


@check(points=2, needs=logs_the_model, domains=DOMAINS)
async def answers_for_other_days(lab: Lab) -> None:
    """The logged model has a probability for every flight of 14 days that the checker draws from June to August.

    Their AUC is above 0.5, which is what tossing a coin gives.
    """
    answer = await lab.once(scored)
    expect(answered(answer["other"], answer["rows"]["other"], "14 days of summer")).because(
        "in summer there are flights to islands that nobody flies to in January. What is to be done with a category "
        "that training has not seen has to be said to the encoder: its handle_unknown is 'error' by default"
    )
    auc = answer["other"]["auc"]
    expect(Observation(auc > 0.5, "AUC on 14 days of summer: more than 0.5", f"{auc:.3f}", auc)).because(
        "a coin gives 0.5: this model has learnt nothing that holds for other days"
    )
