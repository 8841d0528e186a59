"""Reads in MLflow what a gate left of some releases, and compares it with what was served.

Runs in a pod of the checker's. Prints a JSON object: for each release what is wrong with its run and its traces.
"""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path
from statistics import median
from typing import Any

import mlflow

NUMBERS = {"recall_at_5", "reciprocal_rank", "correct", "refused", "tokens"}
THERE_WITHIN = 30.0  # s after the decision until all has arrived
NEWEST = 400  # traces that are looked at
EXACT, SHORTER = 1e-3, 0.15  # of metrics, of which there are three decimals; s by which a trace may be too short
NAME = r"[^\n]{0,60}?"  # what a gate puts in a passenger's name's place
AT_ONCE_WITHIN = 1.0  # s that the median trace lasts, of answers that came at once


def main() -> None:
    """Look until all is there, or the time is over."""
    wanted = json.loads(Path(os.environ.get("WANTED", "/checker/wanted.json")).read_text(encoding="utf-8"))
    end = time.monotonic() + THERE_WITHIN
    while True:
        found = compared(wanted)
        if not any(found.values()) or time.monotonic() > end:
            break
        time.sleep(3)
    print(json.dumps(found))


def compared(wanted: list[dict[str, Any]]) -> dict[str, list[str]]:
    """What is wrong, by `runs` and `traces`; a trace whose root span has not arrived is none yet."""
    experiment = mlflow.get_experiment_by_name(os.environ["MLFLOW_EXPERIMENT_NAME"])
    if experiment is None:
        none = ["there is no such experiment"]
        return {"runs": none, "traces": none}
    client = mlflow.MlflowClient()
    traces = mlflow.search_traces(
        locations=[experiment.experiment_id], max_results=NEWEST, order_by=["timestamp_ms DESC"], return_type="list"
    )
    by_release: dict[str, list[Any]] = {}
    for trace in filter(root_of, traces):
        by_release.setdefault(release_of(trace), []).append(trace)
    found: dict[str, list[str]] = {"runs": [], "traces": []}
    for each in wanted:
        # One by one: those of all checks may be more than are found at once, and have no order if none has a beginning.
        named = f"tags.release = '{each['release']}'"  # a name that the checker made, of letters and digits
        found["runs"] += wrong_run(each, client.search_runs([experiment.experiment_id], filter_string=named))
        found["traces"] += wrong_traces(each, by_release.get(each["release"], []))
    return found


def wrong_run(wanted: dict[str, Any], runs: list[Any]) -> list[str]:
    """What a release's run does not say, or says wrong."""
    name = wanted["release"]
    if len(runs) != 1:
        return [f"{len(runs)} runs with tag release={name}, not one"]
    (run,) = runs
    said = str(run.data.tags.get("accept", "")).lower()
    found = []
    if said != str(wanted["accept"]).lower():
        found.append(
            f"{name}: tag accept is {said[:20] or 'not there'}, and the answer was {str(wanted['accept']).lower()}"
        )
    if run.info.status != "FINISHED":
        found.append(f"{name}: the run is {run.info.status}, not FINISHED")
    if not wanted["metrics"] and (numbers := sorted(NUMBERS & set(run.data.metrics))):
        found.append(f"{name}: its answers had errors, and the run has metric {numbers[0]} nonetheless")
    for metric, value in wanted["metrics"].items():
        given = run.data.metrics.get(metric)
        if given is None or not abs(given - value) <= EXACT:
            found.append(f"{name}: metric {metric} is {given}, not {value:.6g}")
    return found


def wrong_traces(wanted: dict[str, Any], traces: list[Any]) -> list[str]:
    """What a release's traces do not say, or say wrong; of ten that are wrong the first."""
    name, found, short = wanted["release"], [], []
    by_question: dict[str, list[Any]] = {}
    for trace in traces:
        by_question.setdefault(asked(trace, wanted["replies"]), []).append(trace)
    for text, reply in wanted["replies"].items():
        some = by_question.get(text, [])
        if not some:
            found.append(f"{name}: no trace of the question {text!r}")
            continue
        if wrong := min((wrong_in(trace, reply) for trace in some), key=len):
            found.append(f"{name}, {text!r}: {wrong[0]}")
        if not reply["wait"]:
            short.append(min(map(seconds_of, some)))
    if short and median(short) > AT_ONCE_WITHIN:
        found.insert(0, f"{name}: half of its traces last {median(short):.2f} s or more, of answers that came at once")
    return found[:10]


def wrong_in(trace: Any, reply: dict[str, Any]) -> list[str]:
    """What is wrong with a trace of a question."""
    root, found = root_of(trace), []
    said = flat(root.outputs)
    if not all(line.strip() in said for line in reply["answer"].splitlines()):
        found.append("the root span's outputs don't hold the answer")
    others = [span for span in trace.data.spans if span.parent_id and span.name == "retrieve"]
    if not others:
        return [*found, "there is no span `retrieve` below the root"]
    passages = flat(others[0].outputs)
    if missing := [each for each in reply["ids"] if str(each) not in passages]:
        found.append(f"the outputs of span `retrieve` don't hold the passage {missing[0]}")
    if (seconds := seconds_of(trace)) < reply["wait"] - SHORTER:
        found.append(f"it lasts {seconds:.2f} s, and the answer took {reply['wait']:.2f} s at least")
    return found


def seconds_of(trace: Any) -> float:
    """How long its root span lasts."""
    root = root_of(trace)
    return float(((root.end_time_ns or 0) - root.start_time_ns) / 1e9)


def release_of(trace: Any) -> str:
    """The release that a trace is about: the root span's attribute, or the trace's tag."""
    root = root_of(trace)
    said = root.attributes.get("release") if root else None
    return str(said or trace.info.tags.get("release") or "")


def asked(trace: Any, questions: dict[str, Any]) -> str:
    """The question that a trace is of, also where a passenger's name in it is blacked out."""
    text = flat(root_of(trace).inputs)
    return next((each for each, reply in questions.items() if each in text or blacked_out(reply, text)), "")


def blacked_out(reply: dict[str, Any], text: str) -> bool:
    """Is it a question about a passenger, with something else in the name's place?"""
    around = [re.escape(each.strip()) for each in reply.get("around", ())]
    return bool(around and re.search(NAME.join(around), text))


def root_of(trace: Any) -> Any:
    """The span without a parent."""
    return next((span for span in trace.data.spans if not span.parent_id), None)


def flat(value: Any) -> str:
    """All texts in a value, one after another."""
    if isinstance(value, dict):
        return "\n".join(map(flat, value.values()))
    if isinstance(value, list | tuple):
        return "\n".join(map(flat, value))
    return str(value)


if __name__ == "__main__":
    main()
