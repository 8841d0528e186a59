"""Labs 08 and 26 judge by what a run left, in the form that both engines' records have."""

from __future__ import annotations

import asyncio
import contextlib
import random
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeAlias

import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV, TunedThresholdClassifierCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from mlops_lab.base.errors import Failure
from mlops_lab.checks import Lab, Observation
from mlops_lab.kit import learner_pipelines
from mlops_lab.kit.pipeline_runs import Artifact, Record, Step
from mlops_lab.kit.sandbox import estimator
from mlops_lab.measure.services.rest import RefusedRequest
from tests.lab_programs import loaded
from tests.made_up import NothingThere, made_up_lab

ARGUMENTS = {"first_day": "2013-03-01", "last_day": "2013-03-10", "held_out_days": 3, "seed": 8}
ARTIFACTS = {
    "1": Artifact("rows", "system.Dataset", "http://store/1", {}),
    "2": Artifact("held_out", "system.Dataset", "http://store/2", {}),
    "3": Artifact("model", "system.Model", "http://store/3", {}),
    "4": Artifact("metrics", "system.Metrics", "http://store/4", {"auc": 0.75}),
}
STEPS = {
    "prepare": Step("prepare", "SUCCEEDED", True, {}, {"rows": ["1"], "held_out": ["2"]}),
    "learn": Step("learn", "SUCCEEDED", False, {"rows": ["1"], "held_out": ["2"]}),  # a pipeline within the pipeline
    "train": Step("train", "SUCCEEDED", False, {"rows": ["1"]}, {"model": ["3"]}),
    "evaluate": Step("evaluate", "SUCCEEDED", False, {"model": ["3"], "held_out": ["2"]}, {"metrics": ["4"]}),
}
TYPES = {"first_day": "STRING", "last_day": "STRING", "held_out_days": "NUMBER_INTEGER", "seed": "NUMBER_INTEGER"}
FOUND = {"wanted": 7, "rows": 7, "ends": ["03-01", "03-10"], "missing": 0, "other": 0, "weather": 0}


def left(**steps: Step) -> Record:
    return Record(STEPS | steps, ARTIFACTS)


def declaring(**types: Any) -> dict[str, Any]:
    """A compiled pipeline whose parameters are of these types."""
    parameters = {name: {"parameterType": kind} if kind else {} for name, kind in types.items()}
    return {"root": {"inputDefinitions": {"parameters": parameters}}}


def judged(check: str, record: Record, *, failed: bool = False, **answers: Any) -> None:
    """A check of lab 08 about a run that left this."""
    checker = loaded("08")
    run = checker.Run(ARGUMENTS, Observation(not failed, "a run succeeds", "FAILED" if failed else "ended"), record)
    lab = made_up_lab("08")

    async def once(function: Any) -> Any:
        content = dict.fromkeys(("rows", "held_out"), FOUND)
        known = {"first": run, "again": run, "first_content": content, "compiled": declaring(**TYPES)}
        return (known | answers)[function.__name__]

    lab.once = once  # type: ignore[method-assign]
    asyncio.run(getattr(checker, check).run(lab))


def test_artifacts_that_are_handed_on() -> None:
    judged("runs", left())
    judged("passes_artifacts", left())


@pytest.mark.parametrize(
    ("types", "right"),
    [
        ({}, True),
        ({"more": "NUMBER_DOUBLE"}, True),
        ({"seed": "NUMBER_DOUBLE"}, False),
        ({"held_out_days": "NUMBER_DOUBLE"}, False),
        ({"held_out_days": "STRING"}, False),
        ({"first_day": "STRUCT"}, False),
        ({"last_day": None}, False),
    ],
)
def test_the_days_are_texts_and_the_others_whole_numbers(types: dict[str, Any], right: bool) -> None:
    spec = declaring(**TYPES | types)
    spec["root"]["inputDefinitions"]["parameters"]["seed"] |= {"defaultValue": 0.0, "isOptional": True}
    for given in (spec, {"pipeline_spec": spec, "platform_spec": {}}):
        with contextlib.nullcontext() if right else pytest.raises(Failure, match="whole numbers"):
            judged("runs", left(), compiled=given)


@pytest.mark.parametrize("step", [
    replace(STEPS["train"], inputs={}), replace(STEPS["train"], inputs={"rows": ["2"]}),
    replace(STEPS["train"], inputs={"rows": ["1"], "more": ["2"]}),
    replace(STEPS["train"], inputs={"rows": ["1"], "known": ["5"]}),
    replace(STEPS["train"], outputs={"model": ["1"]}), replace(STEPS["train"], outputs={"model": ["77"]}),
    replace(STEPS["prepare"], outputs={"rows": ["1"]}), replace(STEPS["evaluate"], inputs={"held_out": ["2"]}),
])  # fmt: skip
def test_artifacts_that_are_not(step: Step) -> None:
    with pytest.raises(Failure):
        judged("passes_artifacts", left(**{step.name: step}))


def test_what_a_step_reads_is_said_by_who_made_it() -> None:
    step = replace(STEPS["train"], inputs={"data": ["2", "9"]})
    with pytest.raises(Failure, match="prepare's held_out, something else"):
        judged("passes_artifacts", left(train=step))


def spec_with(kind: str, *, within: bool) -> dict[str, Any]:
    """A pipeline whose `train` gets a parameter that `prepare` returns; in a pipeline within the pipeline, or not."""
    made = {"taskOutputParameter": {"producerTask": "prepare", "outputParameterKey": "Output"}}
    handed = {"componentInputParameter": "names"}

    def task(component: str, **parameters: Any) -> dict[str, Any]:
        return {"componentRef": {"name": component}, "inputs": {"parameters": parameters}}

    days = {"componentInputParameter": "first_day"}
    prepare, train = task("comp-prepare", first_day=days), task("comp-train", known=handed if within else made)
    learn = {"comp-learn": {"dag": {"tasks": {"train": train}}}} if within else {}
    second = {"learn": task("comp-learn", names=made)} if within else {"train": train}
    return {
        "root": {"dag": {"tasks": {"prepare": prepare, **second}}},
        "components": {
            "comp-prepare": {"outputDefinitions": {"parameters": {"Output": {"parameterType": kind}}}},
            "comp-train": {"executorLabel": "exec-train"},
            **learn,
        },
    }


@pytest.mark.parametrize("within", [False, True])
@pytest.mark.parametrize("kind", ["STRUCT", "LIST", "STRING", "NUMBER_INTEGER"])
def test_what_a_step_tells_train_beside_artifacts(kind: str, within: bool) -> None:
    spec = spec_with(kind, within=within)
    for given in (spec, {"pipeline_spec": spec, "platform_spec": {}}):
        with pytest.raises(Failure, match="known: Output of prepare"):
            judged("passes_artifacts", left(), compiled=given)


def test_it_is_another_day_when_a_pipeline_is_compiled_again() -> None:
    scenario, days = loaded("08", "scenario"), set()
    for zone in (scenario.ZONE, scenario.AHEAD):
        program = [sys.executable, "-c", "import datetime; print(datetime.date.today())"]
        days.add(subprocess.run(program, env={"TZ": zone}, capture_output=True, text=True, check=True).stdout)
    assert len(days) == 2


def test_it_is_another_day_by_utc_as_well(tmp_path: Path) -> None:
    apart, today = loaded("08", "apart"), datetime.now(UTC).date()
    later = today + apart.LATER
    (tmp_path / "pipeline.py").write_text(f"# of {today:%Y%m%d}\n")
    (tmp_path / "pipeline.yaml").write_text(f"made_on: {today}\n")
    (tmp_path / "answer.joblib").write_bytes(b"\x80\x04")
    environment = tmp_path / "env"
    environment.mkdir()
    (environment / "pyvenv.cfg").write_text(f"installed = {today}\n")
    own = list(apart.texts(tmp_path, "pipeline.yaml"))
    said = {"made_on": f"{today}", "label": f"v{today:%Y%m%d}", "first_day": "2013-03-01"}
    assert apart.some_days_later(said, own) == said | {"made_on": f"{later}"}
    assert apart.some_days_later(said, []) == said | {"made_on": f"{later}", "label": f"v{later:%Y%m%d}"}


@pytest.mark.parametrize("form", ["%Y.%m.%d", "made on %d %b %Y", "%y%m%d", "%Y-%j", "%G-W%V", "%Y-%m", "%B %Y"])
def test_it_is_another_week_and_another_month_as_well(form: str) -> None:
    apart, today = loaded("08", "apart"), datetime.now(UTC).date()
    made = apart.some_days_later({"made": today.strftime(form)}, [])["made"]
    assert made == (today + apart.LATER).strftime(form) != today.strftime(form)


def test_a_date_of_any_form_is_another_one_then_whatever_day_it_is() -> None:
    apart, begin = loaded("08", "apart"), datetime(2026, 1, 1, tzinfo=UTC)
    for now in (begin + timedelta(number) for number in range(4 * 366)):
        apart.datetime = SimpleNamespace(now=lambda zone, now=now: now)
        made = [now.strftime(form) for form in (*apart.DATES, "%G-W%V-%u", "%A, %d %B %Y")]
        later = apart.some_days_later({"made": made}, [])["made"]
        assert all(one != other for one, other in zip(made, later, strict=True)), now
        assert later[0] == f"{(now + apart.LATER).date()}"


def test_what_came_from_the_cache() -> None:
    with pytest.raises(Failure, match="run again: train, evaluate"):
        judged("rerun_hits_the_cache", left())
    judged("rerun_hits_the_cache", left(**{name: replace(STEPS[name], cached=True) for name in ("train", "evaluate")}))


def spec_of(pods: Sequence[str], *others: str) -> dict[str, Any]:
    """A pipeline, in a pipeline of which are tasks that run in pods, and others."""
    tasks = {each: {"componentRef": {"name": f"comp-{each}"}, "taskInfo": {"name": each}} for each in (*pods, *others)}
    executors = {f"exec-{each}": {"container": {"image": "components:1"}} for each in pods}
    return {
        "root": {"dag": {"tasks": {"learn": {"componentRef": {"name": "comp-learn"}}}}},
        "components": {
            **{f"comp-{each}": {"executorLabel": f"exec-{each}"} for each in (*pods, *others)},
            "comp-learn": {"dag": {"tasks": tasks}},
        },
        "deploymentSpec": {"executors": executors | {f"exec-{each}": {"importer": {}} for each in others}},
    }


@pytest.mark.parametrize(
    ("more", "runs_again"),
    [
        (Step("report", "SUCCEEDED", True), False),
        (Step("report", "SUCCEEDED", False), True),
        (Step("report", "SKIPPED", False), False),
        (Step("fetched", "SUCCEEDED", False), False),
    ],
)
def test_a_step_of_ones_own_comes_from_the_cache_too(more: Step, runs_again: bool) -> None:
    cached = {name: replace(STEPS[name], cached=True) for name in ("train", "evaluate")} | {more.name: more}
    spec = spec_of(("prepare", "train", "evaluate", "report"), "fetched")
    for given in (spec, {"pipeline_spec": spec, "platform_spec": {}}):
        with pytest.raises(Failure, match="run again: report") if runs_again else contextlib.nullcontext():
            judged("rerun_hits_the_cache", left(**cached), compiled=given)


def test_the_first_days_are_of_one_month_and_the_others_of_three() -> None:
    scenario = loaded("08", "scenario")
    for seed in range(300):
        begun = []
        for draw, months in ((scenario.first_days, 1), (scenario.days_of_three_months, 3)):
            given = draw(random.Random(seed))
            first, last = date.fromisoformat(given["first_day"]), date.fromisoformat(given["last_day"])
            assert last.month - first.month == months - 1
            learnt = (last - first).days + 1 - given["held_out_days"]
            assert learnt in range(4, 7) if months == 1 else learnt in range(29, 37)
            begun.append((given["held_out_days"], last - timedelta(given["held_out_days"] - 1)))
        (held_out, saturday), (other, _) = begun
        assert held_out != other and saturday.weekday() == 5
        # October is before September as a text; on 2 November flights have gaps in their weather.
        assert first.month == 9 and last - timedelta(other - 1) <= date(2013, 10, 31) < date(2013, 11, 2) <= last


def test_none_of_the_first_days_has_gaps_in_its_weather() -> None:
    scenario, drawn = loaded("08", "scenario"), set()
    for seed in range(300):
        given = scenario.first_days(random.Random(seed))
        first, last = date.fromisoformat(given["first_day"]), date.fromisoformat(given["last_day"])
        assert not any(first <= each <= last for each in scenario.GAPS_BEFORE)
        drawn.add((first, last))
    assert len(drawn) > 30


def test_only_prepare_finds_the_days_files() -> None:
    apart = loaded("08", "apart")
    step = {"componentRef": {"name": "comp-prepare"}}
    train, part = {"componentRef": {"name": "comp-train"}}, {"componentRef": {"name": "comp-part"}}
    spec: dict[str, Any] = {
        "pipelineInfo": {"name": "p"},
        "root": {"dag": {"tasks": {"prepare": step, "part": part}}},
        "components": {
            "comp-prepare": {"executorLabel": "exec-prepare"},
            "comp-part": {"dag": {"tasks": {"train": train}}},
            "comp-train": {"executorLabel": "exec-train"},
        },
    }
    shared = {"executors": {"exec-train": {"enabledSharedMemory": {}}, "exec-prepare": {}}}
    platform = {"platforms": {"kubernetes": {"deploymentSpec": shared}}}
    for given in (spec, {"pipeline_spec": spec, "platform_spec": platform}):
        made = apart.without_days(given)
        assert made["pipeline_spec"] == spec
        found = made["platform_spec"]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
        assert found["exec-train"]["emptyDirMounts"] == [{"volumeName": apart.VOLUME, "mountPath": "/data/flights"}]
        assert not found.get("exec-prepare")
    assert shared["executors"]["exec-train"] == {"enabledSharedMemory": {}}


@pytest.mark.parametrize(
    ("some", "right"),
    [
        ({"values": [0.0, 97 / 200, 194 / 200]}, True),
        ({"values": [0.0, 97 / 200 + 1e-9, 194 / 200]}, True),
        ({"values": [0.0, 0.4, 194 / 200]}, False),
        ({"values": [0.0, float("nan"), 194 / 200]}, False),
        ({"values": [0.0]}, False),
        ({"values": ["none"]}, False),
        ({"error": "ValueError: too few rows"}, False),
    ],
)
def test_a_flight_that_is_asked_about_by_itself_has_its_probability(some: dict[str, Any], right: bool) -> None:
    run = loaded("08", "run")
    assert run.EACH == 97
    whole = {"values": [number / 200 for number in range(200)]}
    for places in (None, [0, 97, 194]):
        seen = run.by_themselves(whole, some, places)
        assert seen.ok is right and seen.seen


@pytest.mark.parametrize(
    ("state", "seed", "right"), [("0", 0, True), ("42", 0, False), ("7", 7, True), ("None", 0, False)]
)
def test_zero_is_a_seed_like_any_other(state: str, seed: int, right: bool) -> None:
    checker = loaded("08")
    run = checker.Run(ARGUMENTS | {"seed": seed}, Observation(True, "", ""), left())
    made = {"classifiers": [{"path": "forest__", "params": {"random_state": state}}]}
    assert checker.has_seed(made, run).ok is right


def seeded(model: Any) -> bool:
    """Does lab 08 find the seed 8 in a Model?"""
    checker = loaded("08")
    run = checker.Run(ARGUMENTS, Observation(True, "", ""), left())
    found: bool = checker.has_seed(estimator.params(model), run).ok
    return found


TREE, FOREST = DecisionTreeClassifier(random_state=8), RandomForestClassifier(random_state=8)
LINES = LogisticRegression(random_state=8)
OTHER_FOREST, UNSEEDED = ExtraTreesClassifier(random_state=8), ExtraTreesClassifier()


@pytest.mark.parametrize(
    "model",
    [
        FOREST,
        make_pipeline(StandardScaler(), FOREST),
        LINES,
        BaggingClassifier(DecisionTreeClassifier(), random_state=8),
        BaggingClassifier(DecisionTreeClassifier(random_state=42), random_state=8),
        BaggingClassifier(VotingClassifier([("a", UNSEEDED), ("b", TREE)]), random_state=8),
        AdaBoostClassifier(make_pipeline(StandardScaler(), DecisionTreeClassifier()), random_state=8),
        VotingClassifier([("a", FOREST), ("b", OTHER_FOREST), ("no", "drop")], voting="soft"),
        VotingClassifier([("a", make_pipeline(StandardScaler(), FOREST)), ("b", KNeighborsClassifier())]),
        VotingClassifier([("a", FOREST), ("b", BaggingClassifier(UNSEEDED, random_state=8))]),
        StackingClassifier([("a", FOREST), ("b", OTHER_FOREST)]),
        StackingClassifier([("a", FOREST), ("b", LINES)], final_estimator=LINES),
        VotingClassifier([("a", LINES), ("b", KNeighborsClassifier())], voting="soft"),
        CalibratedClassifierCV(FOREST),
        CalibratedClassifierCV(make_pipeline(StandardScaler(), FOREST)),
        CalibratedClassifierCV(FrozenEstimator(FOREST)),
        GradientBoostingClassifier(init=FOREST, random_state=8),
        make_pipeline(StandardScaler(), GridSearchCV(FOREST, {"max_depth": [3]})),
        make_pipeline(StandardScaler(), RandomizedSearchCV(FOREST, {"max_depth": [3]}, random_state=1)),
        TunedThresholdClassifierCV(FOREST),
    ],
)
def test_a_classifier_that_is_made_of_others_has_the_seed(model: Any) -> None:
    assert seeded(model)


@pytest.mark.parametrize(
    "model",
    [
        UNSEEDED,
        KNeighborsClassifier(),
        BaggingClassifier(TREE),
        BaggingClassifier(TREE, random_state=0),
        AdaBoostClassifier(TREE),
        make_pipeline(StandardScaler(), BaggingClassifier(make_pipeline(StandardScaler(), TREE))),
        VotingClassifier([("a", FOREST), ("b", UNSEEDED)]),
        VotingClassifier([("a", FOREST), ("b", ExtraTreesClassifier(random_state=0))]),
        VotingClassifier([("a", BaggingClassifier(TREE)), ("b", FOREST)]),
        StackingClassifier([("a", FOREST), ("b", UNSEEDED)]),
        VotingClassifier([("a", FOREST), ("b", LogisticRegression())], voting="soft"),
        StackingClassifier([("a", FOREST)], final_estimator=LogisticRegression()),
        StackingClassifier([("a", FOREST)], final_estimator=LogisticRegression(solver="saga")),
        StackingClassifier([("a", UNSEEDED)], final_estimator=LogisticRegression(random_state=8)),
        CalibratedClassifierCV(BaggingClassifier(TREE)),
        CalibratedClassifierCV(FrozenEstimator(UNSEEDED)),
        GradientBoostingClassifier(init=UNSEEDED, random_state=8),
        make_pipeline(StandardScaler(), RandomizedSearchCV(UNSEEDED, {"max_depth": [3]}, random_state=8)),
        TunedThresholdClassifierCV(UNSEEDED, random_state=8),
    ],
)
def test_the_seed_of_a_part_is_not_that_of_what_draws(model: Any) -> None:
    assert not seeded(model)


@pytest.mark.parametrize(
    ("before", "now", "right"), [(0.81, 0.65, False), (0.81, 0.76, True), (0.66, 0.58, True), (0.65, 0.8, True)]
)
def test_a_model_that_knew_more_than_its_rows(before: float, now: float, right: bool) -> None:
    assert loaded("08", "run").as_good(before, now).ok is right


@pytest.mark.parametrize(
    ("kind", "params", "now", "right"),
    [
        ("RandomForestClassifier", {"bootstrap": "True"}, [0.25, 0.5], False),
        ("RandomForestClassifier", {"bootstrap": "True"}, [0.25, 0.75], True),
        ("RandomForestClassifier", {"bootstrap": "False"}, [0.25, 0.5], True),
        ("ExtraTreesClassifier", {"bootstrap": "False"}, [0.25, 0.5], False),
        ("GradientBoostingClassifier", {"subsample": "0.5"}, [0.25, 0.5], False),
        ("GradientBoostingClassifier", {"subsample": "1.0"}, [0.25, 0.5], True),
        ("SGDClassifier", {"shuffle": "True"}, [0.25, 0.5], False),
        ("SGDClassifier", {}, [0.25, 0.5], True),
        ("DecisionTreeClassifier", {"splitter": "best"}, [0.25, 0.5], True),
        ("HistGradientBoostingClassifier", {}, [0.25, 0.5], True),
    ],
)
def test_a_seed_that_was_set_after_the_fit(kind: str, params: dict[str, str], now: list[float], right: bool) -> None:
    made = {"classifiers": [{"kind": kind, "params": params}], "renamed": []}
    run = loaded("08", "run")
    seen = run.follows_seed(made, {"values": [0.25, 0.5]}, {"values": now})
    assert seen.ok is right and seen.seen
    assert not run.follows_seed(made | {"renamed": [kind]}, {"values": [0.25, 0.5]}, {"values": now}).ok


def test_boosted_trees_tell_what_they_were_fitted_with() -> None:
    ensemble, tree = pytest.importorskip("sklearn.ensemble"), pytest.importorskip("sklearn.tree")
    pipeline = pytest.importorskip("sklearn.pipeline")
    driver = loaded("08", "driver")
    rows, late = [[number % 7, number % 5] for number in range(60)], [number % 2 for number in range(60)]
    boosted = pipeline.make_pipeline(ensemble.HistGradientBoostingClassifier(max_iter=2, random_state=0))
    assert driver.renamed(boosted.fit(rows, late)) == []
    boosted.set_params(histgradientboostingclassifier__random_state=7)
    assert driver.renamed(boosted) == ["HistGradientBoostingClassifier"]
    assert driver.renamed(boosted.fit(rows, late)) == []
    assert driver.renamed(tree.DecisionTreeClassifier(random_state=3).fit(rows, late)) == []


def said(*values: float) -> dict[str, Any]:
    return {"values": list(values)}


@pytest.mark.parametrize(
    ("without", "again", "with_files", "right"),
    [
        (said(0.2, 0.5), None, None, True),
        (said(0.2, 0.5 + 1e-9), None, None, True),
        (said(0.3, 0.4), said(0.3, 0.4), said(0.2, 0.5), False),
        (said(0.3, 0.4), said(0.4, 0.3), said(0.2, 0.5), True),
        (said(0.3, 0.4), said(0.3, 0.4), said(0.1, 0.6), True),
        (said(0.3, 0.4), {}, said(0.2, 0.5), True),
        ({"error": "no"}, None, None, True),
        (said(0.3), None, None, True),
    ],
)
def test_a_model_that_is_another_one_without_days_files_was_made_of_them_unless_it_draws_by_chance(
    without: dict[str, Any], again: Any, with_files: Any, right: bool
) -> None:
    anew, lab = loaded("08", "anew"), made_up_lab("08")
    turns = [("without", without), ("without", again), ("with", with_files)]

    async def once(function: Any) -> Any:
        return {"compiled": "with", "first_content": {"held_out": {"said": said(0.2, 0.5)}}}[function.__name__]

    async def made_anew(lab: Lab, spec: Any) -> Any:
        wanted, told = turns.pop(0)
        assert spec == wanted
        return told

    lab.once = once  # type: ignore[method-assign]
    anew.made_anew, anew.without_days = made_anew, lambda spec: "without"
    assert asyncio.run(anew.knows_only_rows(lab)).ok is right
    assert len(turns) == (2 if again is None else 0)


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        ([0.5] * 4000, [0.5] * 3999 + [0.52], 0.02),
        ([0.5] * 4000, [0.5 + 1e-12] * 4000, 0.0),
        ([0.5, 0.5], [0.5, float("nan")], float("inf")),
        ([0.5, 0.5], [0.5], None),
        ([], [], None),
        ("none", [0.5], None),
        ([0.5], None, None),
    ],
)
def test_models_are_as_far_apart_as_in_their_largest_difference(one: Any, other: Any, apart: float | None) -> None:
    anew = loaded("08", "anew")
    for first, second in ((one, other), (other, one)):
        found = anew.distance({"values": first}, {"values": second})
        assert found == (None if apart is None else pytest.approx(apart, abs=1e-9))
    assert 0.02 > anew.ANOTHER > anew.STEADY > 1e-9


def test_no_step_but_prepare_is_from_the_cache() -> None:
    def kept() -> dict[str, Any]:
        return {"cachingOptions": {"enableCache": True}}

    spec: dict[str, Any] = {
        "root": {"dag": {"tasks": {"prepare": kept(), "part": kept()}}},
        "components": {"comp-part": {"dag": {"tasks": {"train": kept()}}}, "comp-train": {"executorLabel": "train"}},
    }
    for given in (spec, {"pipeline_spec": spec, "platform_spec": {}}):
        made = loaded("08", "apart").uncached(given)
        made = made.get("pipeline_spec", made)
        assert made["root"]["dag"]["tasks"] == {"prepare": kept(), "part": {"cachingOptions": {}}}
        assert made["components"]["comp-part"]["dag"]["tasks"]["train"] == {"cachingOptions": {}}
    assert spec["root"]["dag"]["tasks"]["part"] == kept(), "what was given is as it was"


@pytest.mark.parametrize("strange", [{}, {"error": "no"}, {"classifiers": 3}, {"classifiers": [None, {"kind": []}]}])
def test_what_a_strange_model_says_of_itself_is_no_seed(strange: dict[str, Any]) -> None:
    assert loaded("08", "run").follows_seed(strange, {"error": "no"}, {"error": "no"}).ok


# Lab 08's run


Followed: TypeAlias = Callable[["Engine", Record], Any]


class Engine:
    """A run that has these states in turn."""

    def __init__(self, *states: str, refuses: Exception | None = None) -> None:
        self.states, self.refuses, self.ended = list(states), refuses, 0

    async def start(self, spec: Mapping[str, Any], arguments: Mapping[str, Any]) -> str:
        if self.refuses:
            raise self.refuses
        return "run-7"

    async def run(self, run_id: str) -> dict[str, Any]:
        return {"state": self.states.pop(0) if len(self.states) > 1 else self.states[0]}

    def over(self, run: Mapping[str, Any]) -> bool:
        return run["state"] in ("SUCCEEDED", "FAILED")

    async def end(self, run_id: str) -> None:
        self.ended += 1


@pytest.fixture
def followed(monkeypatch: pytest.MonkeyPatch) -> Followed:
    """What lab 08 takes a run for."""

    def follow(engine: Engine, record: Record) -> Any:
        async def recorded(lab: Lab, run_id: str) -> Record:
            return record

        monkeypatch.setattr(learner_pipelines, "record", recorded)
        lab = made_up_lab("08", platform=SimpleNamespace(pipelines=engine))
        return asyncio.run(loaded("08", "scenario").run_of(lab, {}, ARGUMENTS, 240))

    return follow


def test_a_run_that_succeeded(followed: Followed) -> None:
    run = followed(Engine("SUCCEEDED"), left())
    assert run.ended.ok and run.cached == ("prepare",)


def test_a_run_that_failed_says_which_step_and_why(followed: Followed) -> None:
    step = Step("train", "FAILED", log=("Traceback", "NameError: pd"))
    run = followed(Engine("FAILED"), Record({"prepare": STEPS["prepare"], "train": step}))
    assert not run.ended.ok and run.ended.seen == "FAILED (prepare succeeded, train failed)"
    assert list(run.ended.evidence) == ["train: FAILED", "Traceback", "NameError: pd"]


def test_a_run_that_did_not_end_is_ended(followed: Followed) -> None:
    engine = Engine("RUNNING")
    assert not followed(engine, Record()).ended.ok and engine.ended == 1


def test_arguments_that_kfp_does_not_take_are_shown(followed: Followed) -> None:
    with pytest.raises(Failure) as failed:
        followed(Engine(refuses=RefusedRequest("no parameter seed", 400, "")), Record())
    assert failed.value.expected == (
        "KFP takes a run with first_day='2013-03-01', last_day='2013-03-10', held_out_days=3, seed=8"
    )
    assert failed.value.seen == "no parameter seed" and "whole numbers (int)" in failed.value.why


# Lab 26


def test_how_far_a_run_of_the_loop_came() -> None:
    runs = loaded("26", "runs")
    data = Record({"prepare": STEPS["prepare"], "validate": Step("validate", "FAILED")}, {"1": ARTIFACTS["1"]})
    assert runs.has_made(data, {"state": "FAILED"}, "system.Dataset", "days").ok
    assert runs.nothing_learnt(data).ok
    candidate = runs.has_made(data, {"state": "FAILED"}, runs.MODEL, "a candidate")
    assert not candidate.ok
    assert candidate.seen == "artifacts of system.Dataset; the run: FAILED (prepare succeeded, validate failed)"
    assert runs.has_made(left(), {"state": "SUCCEEDED"}, runs.MODEL, "a candidate").ok
    assert not runs.nothing_learnt(left()).ok
    assert not runs.has_made(Record(), {}, "system.Dataset", "days").ok


@pytest.mark.parametrize(
    ("in_production", "meanwhile", "said"),
    [
        ("1", {"1"}, ""),
        ("1", set(), ""),
        ("2", {"1", "2"}, "it was put into service"),
        ("1", {"1", "2"}, "also version 2, which was taken back"),
    ],
)
def test_what_served_for_a_moment_has_served(
    in_production: str, meanwhile: set[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = loaded("26", "versions")

    async def production(lab: Any) -> str:
        return in_production

    async def serves(lab: Any, version: str, *, within: float) -> Observation:
        return Observation(True, "", f"answers from version {version}")

    monkeypatch.setattr(versions, "production", production)
    monkeypatch.setattr(versions, "serves", serves)
    seen = asyncio.run(versions.kept(made_up_lab("26"), "1", meanwhile))
    assert seen.ok is not bool(said)
    assert said in seen.seen


@pytest.mark.parametrize(
    ("answers", "found", "asked"),
    [
        (["1"], {"1"}, 36),
        ([*["1"] * 20, "2", *["1"] * 15], {"1", "2"}, 24),  # one pod of several that is asked late, by chance
        (["2", "1"], {"1", "2"}, 6),
        ([503], {"status 503"}, 6),
    ],
)
def test_every_pod_is_asked_which_version_it_has(answers: list[Any], found: set[str], asked: int) -> None:
    versions, requests = loaded("26", "versions"), list[str]()

    async def get(service: str, path: str, *, within: float) -> Any:
        said = answers[len(requests) % len(answers)]
        requests.append(path)
        fine = isinstance(said, str)
        return SimpleNamespace(status=200 if fine else said, fields_if_any={"model_version": said} if fine else {})

    lab = made_up_lab("26", traffic=SimpleNamespace(get=get))
    assert asyncio.run(versions.answering(lab)) == found
    assert requests == ["/version"] * asked


@pytest.mark.parametrize(("status", "found"), [(200, {"1", "3"}), (503, {"1"})])
def test_who_answers_while_a_run_goes_on_is_noted(
    status: int, found: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    versions, seen = loaded("26", "versions"), set[str]()

    async def production(lab: Any) -> str:
        return "1"

    async def get(*words: Any, **more: Any) -> Any:
        return SimpleNamespace(status=status, fields_if_any={"model_version": 3})

    monkeypatch.setattr(versions, "production", production)
    asyncio.run(versions.look_in(made_up_lab("26", traffic=SimpleNamespace(get=get)), seen))
    assert seen == found


@pytest.mark.parametrize("template", [{"prometheus.io/scrape": "true"}, {}])
def test_the_servers_next_pods_are_scraped_as_well(template: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    checker, fine = loaded("26"), Observation(True, "", "")
    spec = {"containers": [{"ports": [{"containerPort": 8080}]}]}

    async def owned(lab: Any) -> list[Any]:
        return [{"metadata": {"name": "model-1", "annotations": {"prometheus.io/scrape": "true"}}, "spec": spec}]

    async def drift(lab: Any) -> Any:
        return SimpleNamespace(watched=fine, calm=fine, fired=fine, once=fine, when="")

    async def present() -> Any:
        return {
            "metadata": {"name": "model"},
            "spec": {"template": {"metadata": {"annotations": template}, "spec": spec}},
        }

    monkeypatch.setattr(checker, "owned_pods", owned)
    monkeypatch.setattr(checker, "real_drift", drift)
    objects = NothingThere(deployment=lambda name: SimpleNamespace(present=present))
    with contextlib.nullcontext() if template else pytest.raises(Failure, match="by them nothing is scraped"):
        asyncio.run(checker.one_drift_one_run.run(made_up_lab("26", objects=objects)))
