"""What is lost, killed, full or out of reach: a run goes on, or fails with its reason; nothing runs twice."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import time
from typing import Any

import pytest
from google.protobuf import json_format

from tests.conformance import pipelines
from tests.pipelines.conftest import Make
from tests.pipelines.engine import Engine


def start(engine: Engine, pipeline: Any, cache: bool = False, **arguments: Any) -> str:
    return str(engine.client.create_run_from_pipeline_func(pipeline, arguments, enable_caching=cache).run_id)


def running(engine: Engine, run: str, path: str) -> str:
    """The pod of a task, once it runs its command."""

    def probe() -> str:
        task = engine.tasks(run).get(path, {})
        name = str(task.get("pod_name", ""))
        log = engine.pod(name) / "log"
        return name if task.get("state") == "RUNNING" and log.exists() and "waiting" in log.read_text() else ""

    return str(engine.until(probe))


def test_a_killed_server_finds_its_runs_again(make: Make) -> None:
    engine = make()
    run = start(engine, pipelines.slow, seconds=2.0)
    running(engine, run, "wait")
    engine.kill()
    time.sleep(3)  # the step ends meanwhile, and its launcher waits with the result
    engine.start()
    assert engine.ended(run)["state"] == "SUCCEEDED"
    assert len(engine.starts) == len(set(engine.starts)) == 3  # the driver and two steps


def test_a_killed_driver_is_replaced_and_no_step_runs_twice(make: Make) -> None:
    engine = make()
    run = start(engine, pipelines.slow, seconds=3.0)
    running(engine, run, "wait")
    engine.kill_pod(engine.drivers(run)[-1])
    assert engine.ended(run)["state"] == "SUCCEEDED"
    steps = [name for name in engine.starts if "-wait-" in name]
    assert len(steps) == len(set(steps)) == 2
    assert len([name for name in engine.starts if "-driver-" in name]) == 2


def test_server_and_driver_killed_together(make: Make) -> None:
    engine = make()
    run = start(engine, pipelines.slow, seconds=3.0)
    running(engine, run, "wait")
    engine.kill()
    engine.kill_pod(engine.drivers(run)[-1])
    engine.start()
    assert engine.ended(run)["state"] == "SUCCEEDED"
    steps = [name for name in engine.starts if "-wait-" in name]
    assert len(steps) == len(set(steps)) == 2


def test_a_run_whose_drivers_all_die_fails_with_the_reason(make: Make) -> None:
    engine = make(driver_lives=2)
    run = start(engine, pipelines.slow, seconds=30.0)
    for number in (1, 2):
        engine.until(lambda number=number: len(engine.drivers(run)) >= number and running(engine, run, "wait"))
        engine.kill_pod(engine.drivers(run)[-1])
    ended = engine.ended(run)
    assert ended["state"] == "FAILED"
    assert "driver ended 2 times" in ended["error"]["message"] and "OOMKilled" in ended["error"]["message"]
    assert engine.tasks(run)["wait"]["state"] == "FAILED"


def test_a_driver_that_hangs_is_replaced(make: Make) -> None:
    engine = make(driver_lease=2)
    run = start(engine, pipelines.slow, seconds=4.0)
    running(engine, run, "wait")
    stopped = engine.drivers(run)[-1]
    os.killpg(int((engine.pod(stopped) / "pid").read_text()), signal.SIGSTOP)
    assert engine.ended(run)["state"] == "SUCCEEDED"
    assert len([name for name in engine.starts if "-driver-" in name]) >= 2


def test_a_driver_whose_pod_has_to_wait_is_not_taken_for_silent(make: Make) -> None:
    engine = make(driver_lease=8, pull_patience=60)
    run = start(engine, pipelines.slow, seconds=4.0)
    running(engine, run, "wait")
    file = engine.pod(engine.drivers(run)[-1]) / "pid"
    process, aside = int(file.read_text()), file.with_name("aside")
    os.killpg(process, signal.SIGSTOP)
    file.rename(aside)  # a pod without a process is pending
    time.sleep(10)
    aside.rename(file)
    time.sleep(1)  # it runs, and has not said anything yet
    os.killpg(process, signal.SIGCONT)
    assert engine.ended(run)["state"] == "SUCCEEDED"
    assert len([name for name in engine.starts if "-driver-" in name]) == 1


def test_a_killed_step_fails_and_its_retry_runs(make: Make) -> None:
    engine = make()
    run = start(engine, pipelines.slow, seconds=30.0)
    engine.kill_pod(running(engine, run, "wait"))
    ended = engine.ended(run)
    assert ended["state"] == "FAILED"
    assert ended["error"]["message"] == "task wait failed: exit code 137 (OOMKilled)"
    engine.api(f"runs/{run}:retry", {})
    name = engine.until(lambda: running(engine, run, "wait"))
    assert name.endswith("-1-0")
    engine.api(f"runs/{run}:terminate", {})
    assert engine.ended(run)["state"] == "CANCELED"


def test_a_terminated_run_leaves_no_pod(engine: Engine) -> None:
    run = start(engine, pipelines.slow, seconds=600.0)
    pod = running(engine, run, "wait")
    began = time.monotonic()
    engine.api(f"runs/{run}:terminate", {})
    assert engine.ended(run)["state"] == "CANCELED"
    assert time.monotonic() - began < 10
    assert not engine.pod(pod).exists() and not engine.drivers(run)
    assert engine.tasks(run)["wait"]["state"] == "CANCELED"
    status, answer = engine.ask(f"/apis/v2beta1/runs/{run}:terminate", {})
    assert (status, answer["code"]) == (400, 9)


def test_a_deleted_run_takes_its_pods_and_files_with_it(make: Make) -> None:
    engine = make(pod_ttl=0.5)
    kept = start(engine, pipelines.two_steps)
    assert engine.ended(kept)["state"] == "SUCCEEDED"
    artifacts = engine.data / "artifacts"
    assert list(artifacts.rglob("data"))
    engine.until(lambda: not list((engine.data / "pods").glob("run-*")))  # finished pods go after their time
    assert "KFP Executor" in engine.ask(log_of(engine, kept, "read"))[1]  # their logs stay
    engine.api(f"runs/{kept}", method="DELETE")
    assert not list(artifacts.rglob("data")) and not list((engine.data / "logs").iterdir())
    run = start(engine, pipelines.slow, seconds=600.0)
    running(engine, run, "wait")
    engine.api(f"runs/{run}", method="DELETE")
    engine.until(lambda: not list((engine.data / "pods").glob("run-*")))


def test_what_no_row_names_goes_with_its_run_or_at_the_next_start(make: Make) -> None:
    engine = make()
    runs = [start(engine, pipelines.two_steps, text=str(time.time())) for _ in range(3)]
    for run in runs:
        assert engine.ended(run)["state"] == "SUCCEEDED"
    found = {run: [file for file in (engine.data / "artifacts").rglob("data") if run in file.parts] for run in runs}
    for (file,) in found.values():
        (file.parent / "of-an-attempt-that-failed").write_text("x")
    first, second, third = runs
    engine.api(f"runs/{first}", method="DELETE")
    assert not [path for path in (engine.data / "artifacts").rglob("*") if first in path.parts]
    engine.kill()  # as if in the middle of a deletion
    with sqlite3.connect(engine.data / "database" / "pipelines.db", timeout=20) as db:
        db.execute("pragma foreign_keys = on")
        db.execute("delete from runs where id = ?", (second,))
    logs = {file.stem for file in (engine.data / "logs").iterdir()}
    engine.start()
    left = {part for path in (engine.data / "artifacts").rglob("*") for part in path.parts}
    assert second not in left and found[third][0].exists()
    kept = {file.stem for file in (engine.data / "logs").iterdir()}
    assert kept == {row[0] for row in engine.sql("select id from attempts where run = ?", third)} < logs


def log_of(engine: Engine, run: str, path: str) -> str:
    return f"/apis/v2beta1/runs/{run}/tasks/{engine.tasks(run)[path]['task_id']}/log"


def test_artifacts_that_another_run_got_from_the_cache_outlive_the_run_that_made_them(engine: Engine) -> None:
    text = f"cached {time.time()}"
    made = start(engine, pipelines.two_steps, cache=True, text=text)
    assert engine.ended(made)["state"] == "SUCCEEDED"
    second = start(engine, pipelines.two_steps, cache=True, text=text)
    assert engine.ended(second)["state"] == "SUCCEEDED"
    assert all(task["cached"] and not task.get("pod_name") for task in engine.tasks(second).values())
    engine.api(f"runs/{made}", method="DELETE")
    (data,) = [each for each in engine.api(f"runs/{second}/artifacts")["artifacts"] if each["name"] == "data"]
    assert engine.ask(f"/apis/v2beta1/artifacts/{data['artifact_id']}/content") == (200, text)


def test_a_cluster_that_is_away_is_waited_for(make: Make) -> None:
    engine = make()
    (engine.data / "pods" / "away").write_text(".*")
    run = start(engine, pipelines.two_steps)
    time.sleep(1)
    assert engine.api(f"runs/{run}")["state"] in ("PENDING", "RUNNING")
    assert "does not answer" in engine.ask("/healthz")[1]["trouble"]
    (engine.data / "pods" / "away").unlink()
    assert engine.ended(run)["state"] == "SUCCEEDED"


def test_a_call_that_is_not_answered_holds_up_its_own_pod_alone(make: Make) -> None:
    engine = make()
    away = engine.data / "pods" / "away"
    away.write_text("log .*|create .*-write-.*")
    held = start(engine, pipelines.two_steps)
    run = start(engine, pipelines.slow, seconds=600.0)
    engine.kill_pod(running(engine, run, "wait"))
    assert engine.ended(run)["error"]["message"] == "task wait failed: exit code 137 (OOMKilled)"
    engine.kill_pod(engine.drivers(held)[-1])  # which has nothing to say for itself either
    engine.until(lambda: len([name for name in engine.starts if name.startswith(f"run-{held[:8]}-driver")]) == 2)
    assert "does not answer: create" in engine.ask("/healthz")[1]["trouble"]
    away.unlink()
    assert engine.ended(held)["state"] == "SUCCEEDED"


def test_a_result_may_come_before_the_cluster_has_answered_that_there_is_a_pod(make: Make) -> None:
    engine = make()
    (engine.data / "pods" / "late").write_text("run-.*-write-.*")
    run = start(engine, pipelines.two_steps)
    assert engine.ended(run)["state"] == "SUCCEEDED"
    assert {state for (state,) in engine.sql("select state from attempts where run = ?", run)} == {"SUCCEEDED"}


def test_what_a_retried_run_left_running_is_ended(make: Make) -> None:
    engine = make(driver_lives=1)
    run = start(engine, pipelines.slow, seconds=600.0)
    left = running(engine, run, "wait")
    engine.kill_pod(engine.drivers(run)[-1])
    assert engine.ended(run)["state"] == "FAILED"
    engine.api(f"runs/{run}:retry", {})
    present = running(engine, run, "wait")
    engine.change("update attempts set ended = '2026-01-01T00:00:00Z' where pod = ? and ended != ''", left)
    engine.until(lambda: not engine.pod(left).exists())
    assert engine.pod(present).exists() and engine.tasks(run)["wait"]["state"] == "RUNNING"


def test_a_full_volume_fails_the_step_and_the_server_lives(make: Make) -> None:
    engine = make(reserve=1 << 60)
    run = start(engine, pipelines.two_steps)
    ended = engine.ended(run)
    assert ended["state"] == "FAILED"
    assert "no room" in ended["error"]["message"]
    assert engine.ask("/apis/v2beta1/healthz")[0] == 200


def test_only_so_many_runs_at_once(make: Make) -> None:
    engine = make(max_runs=1)
    first, second = start(engine, pipelines.slow, seconds=600.0), start(engine, pipelines.two_steps)
    running(engine, first, "wait")
    assert engine.api(f"runs/{second}")["state"] == "PENDING"
    engine.api(f"runs/{first}:terminate", {})
    assert engine.ended(second)["state"] == "SUCCEEDED"


def test_two_servers_never_share_a_volume(make: Make) -> None:
    engine = make()
    environment = {**engine._environment, "PIPELINES_PORT": "0"}
    second = subprocess.run(
        [engine._python, "-m", "embedded"], env=environment, capture_output=True, text=True, timeout=30, check=False
    )
    assert second.returncode != 0 and "BlockingIOError" in second.stderr


def test_a_missed_schedule_is_made_up_once_or_each_time_as_asked(make: Make) -> None:
    engine = make()
    document = json_format.MessageToDict(pipelines.optional_inputs.pipeline_spec)
    for name, no_catchup in (("once", True), ("each", False)):
        trigger = {"periodic_schedule": {"interval_second": "1"}}
        given = {"display_name": name, "trigger": trigger, "max_concurrency": "10", "no_catchup": no_catchup}
        engine.api("recurringruns", {**given, "pipeline_spec": document})
    engine.kill()
    time.sleep(4)
    engine.start()
    began = time.monotonic()

    def scheduled(name: str) -> list[str]:
        rows = engine.sql("select scheduled from runs where name like ? order by scheduled", f"{name} %")
        return [row[0] for row in rows]

    each = engine.until(lambda: made if len(made := scheduled("each")) >= 4 else None)
    once = scheduled("once")
    assert len(each) == len(set(each)) and len(once) == len(set(once))
    assert len(once) <= 2 + (time.monotonic() - began)  # what was missed, as one, and what has come due since


@pytest.mark.parametrize("token", ["", "task.x.0.y", "driver.x.0.00"])
def test_what_pods_use_is_closed_to_others(engine: Engine, token: str) -> None:
    for path, method in (
        ("/internal/run", "GET"),
        ("/internal/artifact/x", "PUT"),
        ("/internal/attempt/log", "PUT"),
    ):
        assert engine.ask(path, b"x" if method == "PUT" else None, method, token)[0] == 401
