"""Recurring runs: when they come, of which version, and that one which can't be made stops nothing else."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kfp import compiler

from tests.conformance import pipelines
from tests.pipelines.conftest import Make
from tests.pipelines.engine import Engine
from tests.pipelines.test_api import document

HOUR = datetime.timedelta(hours=1)
EACH_SECOND = {"periodic_schedule": {"interval_second": "1"}}


@pytest.fixture(scope="module")
def engine(parts: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """One that makes runs and starts none."""
    made = Engine(*parts, tmp_path_factory.mktemp("recurring"), max_runs=0)
    yield made
    made.stop()


def add(engine: Engine, trigger: dict[str, Any], **more: Any) -> str:
    given = {"display_name": "again", "trigger": trigger, "max_concurrency": "10", **more}
    if "pipeline_version_reference" not in given:
        given["pipeline_spec"] = document(pipelines.optional_inputs)
    return str(engine.api("recurringruns", given)["recurring_run_id"])


def made(engine: Engine, key: str, column: str = "scheduled") -> list[str]:
    return [row[0] for row in engine.sql(f"select {column} from runs where recurring = ? order by rowid", key)]


def upcoming(engine: Engine, key: str) -> str:
    return str(engine.sql("select next from recurring where id = ?", key)[0][0])


def text(moment: datetime.datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def whole_hour() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC).replace(minute=0, second=0, microsecond=0)


def disabled(engine: Engine, key: str) -> str:
    """Why it was disabled, once it is."""

    def probe() -> str:
        seen = engine.api(f"recurringruns/{key}")
        return str(seen["description"]) if seen["status"] == "DISABLED" else ""

    return str(engine.until(probe))


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("spec", '{"pipeline_spec": {}}'),
        ("trigger", '{"periodic_schedule": {}}'),
        ("trigger", '{"cron_schedule": {"cron": "0 0 0 * * 7"}}'),  # of an older server
    ],
)
def test_one_that_can_not_be_made_is_disabled_and_stops_no_other(engine: Engine, column: str, value: str) -> None:
    broken = add(engine, {"periodic_schedule": {"interval_second": "3600"}})
    engine.change(f"update recurring set {column} = ?, next = created where id = ?", value, broken)
    good = add(engine, EACH_SECOND)
    assert disabled(engine, broken).startswith("disabled: ")
    engine.until(lambda: made(engine, good))
    assert not made(engine, broken) and engine.ask("/healthz")[1]["trouble"] == ""
    engine.api(f"recurringruns/{good}:disable", {})


@pytest.mark.parametrize("kind", ["periodic", "cron"])
def test_the_first_comes_after_its_start_not_at_it(engine: Engine, kind: str) -> None:
    start = whole_hour() + 2 * HOUR
    schedule = {"interval_second": "3600"} if kind == "periodic" else {"cron": "0 0 * * * *"}
    key = add(engine, {f"{kind}_schedule": {**schedule, "start_time": text(start)}})
    assert upcoming(engine, key) == text(start + HOUR)
    for action in ("disable", "enable"):
        engine.api(f"recurringruns/{key}:{action}", {})
    assert upcoming(engine, key) == text(start + HOUR)


@pytest.mark.parametrize(
    ("cron", "first"),
    [
        ("0 0 3 * * *", "2090-12-01T03:00:00.000Z"),
        ("30 3 * * *", "2090-11-30T22:03:30.000Z"),  # each hour
        ("*/20 * * * *", "2090-11-30T22:00:20.000Z"),
        ("@daily", "2090-12-01T00:00:00.000Z"),
        ("@every 1h30m", "2090-11-30T23:30:00.000Z"),
        ("0 0 12 */2 * fri", "2090-12-01T12:00:00.000Z"),  # a * in one of them: both have to be right
        ("0 0 12 2 * fri", "2090-12-01T12:00:00.000Z"),
        ("0 0 12 2 * sat", "2090-12-02T12:00:00.000Z"),
        ("5/20 10-11,50 ? * JAN-mar *", "2091-01-01T00:10:05.000Z"),
    ],
)
def test_cron_begins_with_seconds_also_of_five_fields_and_is_utc(engine: Engine, cron: str, first: str) -> None:
    schedule = {"cron": cron, "start_time": "2090-12-01T00:00:00+02:00"}  # the evening before, by UTC
    assert upcoming(engine, add(engine, {"cron_schedule": schedule})) == first


def test_what_is_missed_of_each_so_many_is_made_up_by_the_last_one(engine: Engine) -> None:
    start = datetime.datetime.now(datetime.UTC).replace(microsecond=0) - 5 * HOUR
    schedule = {"cron": "@every 2h", "start_time": text(start)}
    key = add(engine, {"cron_schedule": schedule}, no_catchup=True)
    assert engine.until(lambda: made(engine, key, "scheduled")) == [text(start + 4 * HOUR)]
    assert upcoming(engine, key) == text(start + 6 * HOUR)


def warnings(engine: Engine, key: str) -> list[str]:
    (run, *_) = engine.until(lambda: made(engine, key, "id"))
    return list(engine.api(f"runs/{run}").get("warnings", []))


def test_a_run_of_five_fields_says_what_they_are(engine: Engine) -> None:
    five, six = (add(engine, {"cron_schedule": {"cron": cron}}) for cron in ("* * * * *", "* * * * * *"))
    (text,) = warnings(engine, five)
    assert "the first of which are the seconds" in text and "'0 * * * * *'" in text
    assert warnings(engine, six) == []
    for key in (five, six):
        engine.api(f"recurringruns/{key}:disable", {})


def test_five_fields_of_an_older_server_are_disabled_once(make: Make) -> None:
    engine = make(max_runs=0)
    start = {"start_time": "2090-12-01T00:00:00Z"}
    five = add(engine, {"cron_schedule": {"cron": "30 3 * * *", **start}})
    others = [add(engine, {"cron_schedule": {"cron": cron, **start}}) for cron in ("0 30 3 * * *", "@daily")]
    others.append(add(engine, {"periodic_schedule": {"interval_second": "3600", **start}}))
    broken = add(engine, {"cron_schedule": {"cron": "@daily", **start}})
    engine.change("update recurring set trigger = '{}' where id = ?", broken)
    engine.change("update recurring set next = '2090-12-01T03:30:00.000Z' where id = ?", five)
    engine.change("delete from kv where key = 'cron'")
    engine.stop()
    engine.start()
    assert "'0 30 3 * * *'" in disabled(engine, five)
    assert disabled(engine, five).startswith("disabled: the server was upgraded")
    assert {engine.api(f"recurringruns/{key}")["status"] for key in others} == {"ENABLED"}
    engine.api(f"recurringruns/{five}:enable", {})
    assert upcoming(engine, five) == "2090-12-01T00:03:30.000Z", "not when five fields meant something else"
    engine.stop()
    engine.start()
    assert engine.api(f"recurringruns/{five}")["status"] == "ENABLED"


@pytest.mark.parametrize("kind", ["periodic", "cron"])
def test_a_start_that_is_past_is_caught_up_with_unless_that_is_not_wanted(engine: Engine, kind: str) -> None:
    start = whole_hour() - 3 * HOUR
    schedule = {"interval_second": "3600"} if kind == "periodic" else {"cron": "0 0 * * * *"}
    trigger = {f"{kind}_schedule": {**schedule, "start_time": text(start)}}
    each, once = add(engine, trigger), add(engine, trigger, no_catchup=True)
    engine.until(lambda: len(made(engine, each)) >= 3 and made(engine, once))
    assert made(engine, each)[:3] == [text(start + number * HOUR) for number in (1, 2, 3)]
    assert upcoming(engine, each) == upcoming(engine, once) > text(datetime.datetime.now(datetime.UTC))
    assert made(engine, once) == [text(whole_hour())], "of those that were missed, the last"


def test_one_that_would_come_after_the_last_year_never_comes(engine: Engine) -> None:
    schedule = {"interval_second": "3000000000", "start_time": "9990-01-01T00:00:00Z"}
    assert upcoming(engine, add(engine, {"periodic_schedule": schedule})) == ""


def test_each_run_takes_the_newest_version_unless_one_was_named(engine: Engine, tmp_path: Path) -> None:
    file = str(tmp_path / "pipeline.yaml")
    compiler.Compiler().compile(pipelines.optional_inputs, file)
    client = engine.client
    pipeline = client.upload_pipeline(file, "renewed").pipeline_id
    (first,) = client.list_pipeline_versions(pipeline).pipeline_versions
    of_pipeline = {"pipeline_id": pipeline}
    of_version = {**of_pipeline, "pipeline_version_id": first.pipeline_version_id}
    newest = add(engine, EACH_SECOND, pipeline_version_reference=of_pipeline)
    fixed = add(engine, EACH_SECOND, pipeline_version_reference=of_version)
    assert engine.api(f"recurringruns/{newest}")["pipeline_version_reference"] == of_pipeline
    assert "pipeline_spec" not in engine.api(f"recurringruns/{newest}")
    assert engine.api(f"recurringruns/{fixed}")["pipeline_version_reference"] == of_version
    engine.until(lambda: made(engine, newest))
    second = client.upload_pipeline_version(file, "second", pipeline_id=pipeline).pipeline_version_id
    engine.until(lambda: second in made(engine, newest, "version"))
    assert made(engine, newest, "version")[0] == first.pipeline_version_id
    assert set(made(engine, fixed, "version")) == {first.pipeline_version_id}
    for version in (first.pipeline_version_id, second):
        client.delete_pipeline_version(pipeline, version)
    assert disabled(engine, newest) == f"disabled: a version of pipeline {pipeline} not found"
    assert engine.api(f"recurringruns/{fixed}")["status"] == "ENABLED"
    engine.api(f"recurringruns/{fixed}:disable", {})


def test_those_of_a_deleted_experiment_go_with_it(engine: Engine) -> None:
    experiment = engine.api("experiments", {"display_name": "over"})["experiment_id"]
    key = add(engine, {"cron_schedule": {"cron": "@yearly"}}, experiment_id=experiment)
    engine.api(f"experiments/{experiment}", method="DELETE")
    assert engine.ask(f"/apis/v2beta1/recurringruns/{key}")[0] == 404
