"""The newest run, and what its logged model answers in a pod of the checker's."""

from __future__ import annotations

import functools
import json
import math
import random
import secrets
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

from mlops_lab.checks import Lab, Observation
from mlops_lab.kit import sandbox, scores
from mlops_lab.kit.drawn import drawn
from mlops_lab.kube.client import Object
from mlops_lab.measure.traffic.flights import numbers

from .recorded import text_values
from .why import SUSPECTS

HERE = Path(__file__).parent
NAME = "model"
# Questions about the most unusual flights of the held-out week, by one column each: a step that cuts numbers
# at what the other rows have cuts these.
FARTHEST = {f"farthest_{column}": column for column in ("distance", "temp", "wind_speed", "precip", "visib")}
SCORED_WITHIN = 300  # s for the checker's own pod
ANSWERED_WITHIN = 30  # s of its own that the model may take for one answer
# By how much chance alone may make the logged model better than the same one, fitted anew; in summer it does more.
ABOVE = {"held_out": 0.05, "after": 0.05, "other": 0.1}
FITTED = ("held_out", "other", "after", "new")  # what is asked of the same one, fitted anew, too
# Those about what was fitted anew come last: that may take long, and then nothing else is missed. With the suspects the
# model's process gets to know the week's labels.
QUESTIONS = (
    ("load",), ("probabilities", "held_out"), ("probabilities", "few"), ("probabilities", "one"),
    *(("probabilities", name) for name in FARTHEST),
    ("probabilities", "other"), ("probabilities", "training"), ("probabilities", "gaps"), ("served", "held_out"),
    ("params",), ("counted",), ("probabilities", "after"), ("probabilities", "new"),
    *(("fitted", name) for name in FITTED),
    *((name, "held_out") for name in SUSPECTS),
)  # fmt: skip
# Asked where it is better by more, or has answers that the one fitted anew has not: what draws at random is another one
# each time, and now and then a bad one. Where something is frozen, the third time is of another kind (driver.py).
AGAIN = (("load",), *(("fitted", name, time) for time in "123" for name in FITTED))
TRAINING, HELD_OUT = (date(2013, 1, 1), date(2013, 1, 21)), (date(2013, 1, 22), date(2013, 1, 28))
# As good as the held-out week to a model that has seen neither. Flights with a code that the training days do not have
# are apart, as `new`.
AFTER = (date(2013, 1, 29), date(2013, 2, 11))
# Summer has destinations that January does not.
OTHER, DRAWN = (date(2013, 6, 1), date(2013, 8, 31)), 30
GAPS = ("2013-07-02", "2013-08-19", "2013-08-22")  # the days of these on which some flights have no weather at all
SAME = 1e-6  # as for the metric: sums over another number of rows may differ in their last digits


async def newest(lab: Lab) -> Object | None:
    """The newest run of the lab's experiment that is nobody's child; a search for parameters makes children."""
    runs = await lab.platform.mlflow.runs()
    return next((run for run in runs if "mlflow.parentRunId" not in text_values(run["data"].get("tags", []))), None)


async def scored(lab: Lab) -> Object:
    """What the run's logged model answers in the sandbox, scored here, and how many rows the days have."""
    found = await lab.once(newest)
    assert found is not None
    run = found["info"]["run_id"]
    models = [
        each
        for each in await lab.platform.mlflow.logged_models()
        if each["info"].get("source_run_id") == run and each["info"].get("status") == "LOGGED_MODEL_READY"
    ]
    named = [each["info"]["model_id"] for each in models if each["info"].get("name") == NAME][:1]  # the newest
    summer = of_summer(drawn(lab, "days of summer"))
    key = secrets.token_hex()
    settings = {
        "KEY": key,
        "SEED": drawn(lab, "a few flights").randbytes(8).hex(),
        "MODEL_URI": f"models:/{named[0]}" if named else "",
        "FARTHEST": json.dumps(FARTHEST),
        "DAYS": json.dumps(
            {"training": days(*TRAINING), "held_out": days(*HELD_OUT), "after": days(*AFTER), "other": summer}
        ),
    }
    ask = functools.partial(
        sandbox.asked, lab, HERE / "driver.py", HERE / "sealed.py", prepare=HERE / "prepare.py", settings=settings,
        hides=("/data",), each_within=ANSWERED_WITHIN, within=SCORED_WITHIN,
    )  # fmt: skip
    asked = await ask(questions=[[*each, key] if each[0] in SUSPECTS else each for each in QUESTIONS] if named else ())
    if named:
        answer = judged(asked.prepared, asked.answers)
        if better(answer):
            at_best(answer, asked.prepared["labels"], (await ask(questions=AGAIN)).answers)
        return answer | {"model": named[0]}
    listed = await lab.platform.mlflow.ask("GET", "artifacts/list", run_id=run)
    files = [f"logged model {each['info'].get('name')}" for each in models]
    return asked.prepared | {"files": files + [each["path"] for each in listed.get("files", [])]}


def judged(prepared: Object, answers: Sequence[Object]) -> Object:
    """What the answers to `QUESTIONS` are worth: the labels are here, and the model has never seen them."""
    found = {" ".join(question): said for question, said in zip(QUESTIONS, answers, strict=True)}
    answer: Object = {"rows": prepared["rows"], "signature": prepared["signature"]}
    if trouble := found["load"].get("error"):
        return answer | {"error": str(trouble)[:300]}
    labels = prepared["labels"]
    answer |= {name: scores.scored(found[f"probabilities {name}"], labels[name]) for name in labels}
    answer["fitted"] = {name: of_anew(found[f"fitted {name}"], labels[name]) for name in FITTED}
    if found["fitted held_out"].get("own") is True:
        answer["unfit"] = str(found["fitted held_out"].get("error"))[:300]
    own, fitted = found["probabilities held_out"], found["fitted held_out"]
    answer["apart"] = {name: compared(own, found[f"{name} held_out"], fitted, labels["held_out"]) for name in SUSPECTS}
    apart_from_all = {"few": "held_out", "one": "held_out", "gaps": "training"} | dict.fromkeys(FARTHEST, "held_out")
    for name, of in apart_from_all.items():
        if "auc" in answer[of]:
            asked = found[f"probabilities {name}"]
            answer[name] = others(found[f"probabilities {of}"]["values"], asked, prepared[name])
    if "error" in found["served held_out"]:
        answer["signature"].setdefault("error", str(found["served held_out"]["error"])[:300])
    counted = numbers([found["counted"].get("rows")]) or [0]
    return answer | {"params": found["params"], "counted": counted[0]}


def of_anew(said: Object, labels: str) -> Object:
    """What an answer of the same estimator, fitted anew, is worth, and whether it is `unable` to give one."""
    return scores.scored(said, labels) | ({"unable": True} if "error" in said and said.get("unable") is True else {})


def unable(answer: Object) -> str:
    """The exception of the same estimator, fitted anew, for flights that the logged one answers for; empty for none."""
    fitted = answer.get("fitted", {})
    found = (str(each["error"]) for name, each in fitted.items() if "unable" in each and "rows" in answer[name])
    return next(found, "")


def better(answer: Object) -> bool:
    """Is the logged model better than chance alone makes it, or knows it more, as far as one fit can tell?"""
    fitted = answer.get("fitted", {})
    return bool(unable(answer)) or any(
        answer[name].get("auc", 0.0) > fitted[name].get("auc", 1.0) + most for name, most in ABOVE.items() if fitted
    )


def at_best(answer: Object, labels: Mapping[str, str], answers: Sequence[Object]) -> None:
    """Of all that the same estimator is worth, fitted anew, by the answers to `AGAIN` too, the best counts."""
    for (_, name, _), said in zip(AGAIN[1:], answers[1:], strict=True):
        each = of_anew(said, labels[name])
        answer["fitted"][name] = max(
            answer["fitted"][name], each, key=lambda found: ("rows" in found, found.get("auc", 0.0))
        )


def compared(own: Object, suspect: Object, fitted: Object, labels: str) -> Object | None:
    """How far a model's answers are from a suspect's, and from the nearest that the training days alone may give."""
    honest: tuple[Object, ...] = fitted, *({"values": suspect.get(name)} for name in ("training", "parted"))
    known = [each for each in honest if "auc" in scores.scored(each, labels)]
    if not known or any("auc" not in scores.scored(each, labels) for each in (own, suspect)):
        return None
    nearest = min(apart(own["values"], each["values"]) for each in known)
    return {"honest": nearest, "suspect": apart(own["values"], suspect["values"])}


def apart(some: Sequence[float], others: Sequence[float]) -> float:
    """How far probabilities are from others: the standard deviation of the differences; a shift of all is none."""
    gaps = [float(one) - float(other) for one, other in zip(some, others, strict=True)]
    middle = sum(gaps) / len(gaps)
    return math.sqrt(sum((gap - middle) * (gap - middle) for gap in gaps) / len(gaps))


def others(whole: Sequence[float], alone: Object, places: Sequence[int]) -> Object:
    """For how many rows, which have these places in the whole, there are other probabilities without the rest."""
    if "error" in alone:
        return {"error": str(alone["error"])[:300]}
    values = numbers(alone.get("values")) or []
    if len(values) != len(places):
        return {"error": f"its predict_proba gives {len(values)} answers for {len(places)} rows"}
    far = [one for one, place in zip(values, places, strict=True) if not abs(one - float(whole[place])) <= SAME]
    return {"rows": len(places), "others": len(far)}


def answered(found: Object, rows: int, of: str) -> Observation:
    """There is a probability for each row."""
    whole = "error" not in found and found["rows"] == rows
    return Observation(
        whole, f"probabilities for {rows} flights of {of}", found.get("error") or f"{found['rows']} of them",
        what=f"probabilities for {of}",
    )  # fmt: skip


def of_summer(draw: random.Random) -> list[str]:
    """Days of summer, one of them with gaps in its weather: few days have any."""
    gap = draw.choice(GAPS)
    return sorted([gap, *draw.sample([each for each in days(*OTHER) if each != gap], DRAWN - 1)])


def days(first: date, last: date) -> list[str]:
    """The names of the days from one to another, both included."""
    return [str(first + timedelta(number)) for number in range((last - first).days + 1)]
