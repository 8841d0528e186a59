"""Lab 01: the newest run of the lab's experiment, and what its logged model does when somebody else loads it."""

from __future__ import annotations

import json
import random
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from mlops_lab.checks import Lab, LabError, Observation, check, equal_to, expect, observe

Object = dict[str, Any]

WITHIN = 180  # s for the Job, its pod's start included
SCORED_WITHIN = 120  # s for the checker's own pod
TRAINING, HELD_OUT = (date(2013, 1, 1), date(2013, 1, 21)), (date(2013, 1, 22), date(2013, 1, 28))
# Summer has destinations that January does not.
OTHER, DRAWN = (date(2013, 6, 1), date(2013, 8, 31)), 14
METRIC = "auc_held_out"
CONTEXTS = ("training", "train")  # autologging says train
DOMAINS = ("ckad/observability-and-maintenance",)


@check(points=1, domains=("ckad/design-and-build",))
async def finishes_a_run(lab: Lab) -> None:
    """Job `train` completes, and the newest run of the lab's MLflow experiment has the status FINISHED.

    The checker waits up to 180 s for the Job. The experiment is the one that MLFLOW_EXPERIMENT_NAME names.
    """
    job = lab.objects.named("Job", "train")
    if await job.now() is None:
        expect(Observation(False, "a Job named train", "there is none in this namespace")).because(
            "kubectl replace --force -k . makes the ConfigMap of train.py and the Job that runs it"
        )
    ended = await job.until(over, expected="completes", shown=how, within=WITHIN)
    if ended.ok and not completed(await job.now()):
        ended = Observation(False, "Job train completes", "it failed", evidence=await last_lines(lab))
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
    expect(
        Observation("error" not in answer, "MLflow loads the model", answer.get("error", "MLflow loads it"))
    ).because("whoever loads the model has the image's packages and not your train.py")
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
    expect(
        Observation("error" not in signature, "answers for 50 flights of the held-out week",
                    signature.get("error", "it answers for good rows"))
    ).because(
        f"the signature asks for {described(signature['columns'])}. Who wants to know whether a flight will be late "
        "does not have `late`: infer the signature from the rows that the model is fitted on, not from the whole file"
    )  # fmt: skip
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
    expect(
        Observation("error" not in made, "a model that tells its parameters", made.get("error", "it tells them"))
    ).because(
        "scikit-learn's estimators tell by get_params() what they were made with, and a class of your own does if it "
        "inherits from sklearn.base.BaseEstimator"
    )
    logged = {each["key"]: str(each["value"]) for each in found["data"].get("params", [])}
    plain = {name: name.removeprefix("best_") for name in logged}
    false = [
        f"{name} is {logged[name]}, the model has {' or '.join(made['used'][key])}"
        for name, key in plain.items()
        if key in made["used"] and not any(same(logged[name], value) for value in made["used"][key])
    ]
    expect(
        Observation(
            not false, "logged parameters are those of the model", "; ".join(false) or "those that are logged are true"
        )
    ).because(
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


async def newest(lab: Lab) -> Object | None:
    """The newest run of the lab's experiment that is nobody's child; a search for parameters makes children."""
    runs = await lab.platform.mlflow.runs()
    return next((run for run in runs if "mlflow.parentRunId" not in tags(run)), None)


async def scored(lab: Lab) -> Object:
    """What the run's logged model does in a pod of the checker's, and how many rows the days have."""
    found = await lab.once(newest)
    assert found is not None
    run = found["info"]["run_id"]
    models = [
        each
        for each in await lab.platform.mlflow.logged_models()
        if each["info"].get("source_run_id") == run and each["info"].get("status") == "LOGGED_MODEL_READY"
    ]
    models.sort(key=lambda each: each["info"].get("name") != "model")  # stable: the newest `model` first
    drawn = random.sample(days(*OTHER), DRAWN)
    env = {
        "MODEL_URI": f"models:/{models[0]['info']['model_id']}" if models else "",
        "DAYS": json.dumps({"training": days(*TRAINING), "held_out": days(*HELD_OUT), "other": sorted(drawn)}),
    }
    program = (Path(__file__).parent / "score.py").read_text()
    output = await lab.programs.run(
        "components:1", "python3", "/checker/score.py", files={"score.py": program}, env=env, within=SCORED_WITHIN
    )
    answer = output.json()
    if models:
        return answer | {"model": models[0]["info"]["model_id"]}
    listed = await lab.platform.mlflow.ask("GET", "artifacts/list", run_id=run)
    return answer | {"files": [each["path"] for each in listed.get("files", [])]}


def days(first: date, last: date) -> list[str]:
    return [str(first + timedelta(number)) for number in range((last - first).days + 1)]


def tags(run: Object) -> dict[str, str]:
    return {each["key"]: each["value"] for each in run["data"].get("tags", [])}


def context(given: Object) -> str:
    """In which context a dataset was logged."""
    return next((each["value"] for each in given.get("tags", []) if each["key"] == "mlflow.data.context"), "")


def size(dataset: Object) -> int:
    """The rows that a dataset's profile tells; 0 if it does not."""
    try:
        profile = json.loads(dataset.get("profile") or "{}")
        shape = profile.get("features_shape") or profile.get("shape") or [0]
        return int(profile.get("num_rows") or shape[0])
    # A profile of a form of its own; OverflowError: 1e999 rows.
    except (ValueError, TypeError, AttributeError, LookupError, RecursionError, OverflowError):
        return 0


def same(one: str, other: str) -> bool:
    """Do two texts say the same value? 400 is 400.0."""
    try:
        return one == other or float(one) == float(other)
    except ValueError:
        return False


def answered(found: Object, rows: int, of: str) -> Observation:
    """There is a probability for each row."""
    whole = "error" not in found and found["rows"] == rows
    return Observation(
        whole, f"probabilities for {rows} flights of {of}", found.get("error") or f"{found['rows']} of them"
    )


def described(columns: list[Any] | None) -> str:
    if columns is None:
        return "no signature"
    return f"the columns {', '.join(map(str, columns))}" if columns else "columns without names"


def why_apart(logged: float, answer: Object) -> str:
    """What the difference looks like."""
    own, training = answer["held_out"]["auc"], answer["training"].get("auc", 0.0)
    if abs(logged - training) <= 1e-6:
        return "this is the AUC on the training rows, which says how well the model remembers, not how well it predicts"
    if abs(logged - own) < 0.006 and logged in [round(own, places) for places in range(1, 7)]:
        return "a rounded number can't be compared with another run's: log it as it is, and round where it is shown"
    return (
        "the AUC is that of predict_proba(rows)[:, 1]: predict gives 0 or 1 and has lost the order of the rows. And "
        "the model that is logged has to be the one that was measured, not one that was fitted again"
    )


def over(job: Object | None) -> bool:
    return job is None or completed(job) or condition(job, "Failed")


def completed(job: Object | None) -> bool:
    return condition(job, "Complete")


def condition(job: Object | None, kind: str) -> bool:
    found = ((job or {}).get("status") or {}).get("conditions") or []
    return any(each["type"] == kind and each["status"] == "True" for each in found)


def how(job: Object | None) -> str:
    if job is None:
        return "no such Job"
    return "failed" if condition(job, "Failed") else "completed" if completed(job) else "not over yet"


async def last_lines(lab: Lab) -> tuple[str, ...]:
    """The end of what the Job's newest pod printed."""
    pods = await lab.objects.all("Pod", "job-name=train")
    if not pods:
        return ()
    last = max(pods, key=lambda pod: pod["metadata"]["creationTimestamp"])
    first = last["spec"]["containers"][0]["name"]
    try:
        text = await lab.objects.logs(last["metadata"]["name"], first, tail=8)
    except LabError:  # it has not begun, as when an init container failed
        return ()
    return tuple(line[:200] for line in text.splitlines())
