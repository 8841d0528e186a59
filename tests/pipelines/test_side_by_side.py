"""Steps that nothing puts in order: side by side within bounds, and found again by another driver. A run's warnings,
and the names of its steps."""

# No `from __future__ import annotations`: the SDK reads the annotations of components as objects.
import hashlib
import hmac
from typing import Any, List  # noqa: UP035

from embedded.differences import empty_loop
from embedded.driver.walk import ServerCache
from kfp import dsl

from tests.conformance import pipelines
from tests.pipelines.conftest import Make
from tests.pipelines.engine import Engine
from tests.pipelines.test_pages import page
from tests.pipelines.test_robust import running, start


@pipelines.component
def names(many: int) -> List[str]:  # noqa: UP006
    return ["x"] * many


@dsl.pipeline(name="many")
def many(seconds: float):
    for mark in "abcd":
        pipelines.wait(seconds=seconds, mark=mark)


@dsl.pipeline(name="late-list")
def late_list(much: int):
    with dsl.ParallelFor(names(many=much).output) as name:
        said = pipelines.say(text=name)
    pipelines.join(items=dsl.Collected(said.output), word="!")


@pipelines.component
def train(text: str) -> str:
    return text


@pipelines.component
def train_iteration_2(text: str) -> str:
    return text


@dsl.pipeline(name="like-iterations")
def like_iterations():
    train_iteration_2(text=train(text="a").output)
    with dsl.ParallelFor(["b"]) as text:
        train(text=text)


def driver_token(engine: Engine, run: str) -> str:
    """What the run's present driver shows."""
    ((secret,),) = engine.sql("select value from kv where key = 'secret'")
    ((generation,),) = engine.sql("select generation from runs where id = ?", run)
    text = f"driver.{run}.{generation}"
    return f"{text}.{hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()}"


def test_as_many_steps_of_a_run_as_allowed_and_no_more(make: Make) -> None:
    engine = make(parallel=2)
    run = start(engine, many, seconds=0.7)
    assert engine.ended(run)["state"] == "SUCCEEDED"
    times = [(each["start_time"], each["end_time"]) for each in engine.tasks(run).values()]
    at_work = [sum(begin <= moment < end for begin, end in times) for moment, _ in times]
    assert (len(times), max(at_work)) == (4, 2)


def test_another_driver_waits_for_all_that_run(make: Make) -> None:
    engine = make()
    run = start(engine, pipelines.side_by_side, cache=True, seconds=3.0)
    pods = {running(engine, run, path) for path in ("wait", "wait-2")}
    known = {"path": "wait", "name": "wait", "parent": "", "kind": "container"}
    status, answer = engine.ask("/internal/run/tasks", known, token=driver_token(engine, run))
    assert (status, answer["begun"], answer["state"]) == (200, True, "RUNNING")
    engine.kill_pod(engine.drivers(run)[-1])
    assert engine.ended(run)["state"] == "SUCCEEDED"
    assert sorted(name for name in engine.starts if "-wait-" in name) == sorted(pods) and len(pods) == 2


def test_a_step_that_is_at_work_is_not_taken_from_the_cache() -> None:
    """What another one with the same inputs has left there meanwhile would leave its pod alone."""

    class Asked:
        def cached(self, key: str) -> Any:
            raise AssertionError(key)

    class Now:
        begun, cached = True, False

    assert ServerCache(Asked(), Now).get("key") is None  # type: ignore[arg-type]


def test_a_run_says_what_the_real_backend_would_do_otherwise(engine: Engine) -> None:
    run = start(engine, late_list, cache=True, much=0)
    assert engine.ended(run)["state"] == "SUCCEEDED"
    told = [empty_loop("for-loop-1", ["join"])]
    assert engine.api(f"runs/{run}")["warnings"] == told, "known once the loop was met"
    assert all("warnings" not in each for each in engine.api("runs?page_size=100")["runs"])
    made = start(engine, pipelines.loop_over_models)
    (text,) = [each for each in engine.api(f"runs/{made}")["warnings"] if "artifact" in each]
    assert text.startswith("Kubeflow Pipelines 2.17 would refuse this pipeline")
    engine.api(f"runs/{made}:terminate", {})
    engine.ended(made)


def test_a_step_that_is_called_like_an_iteration_is_none(engine: Engine) -> None:
    key = start(engine, like_iterations)
    assert engine.ended(key)["state"] == "SUCCEEDED"
    tasks = engine.tasks(key)
    parents = {path: each.get("parent_task_id", "") for path, each in tasks.items()}
    (loop,) = [path for path, each in tasks.items() if each["kind"] == "loop"]
    assert parents == {
        "train": "", "train-iteration-2": "", loop: "", f"{loop}-iteration-0": tasks[loop]["task_id"],
        f"{loop}-iteration-0/train-2": tasks[f"{loop}-iteration-0"]["task_id"],
    }  # fmt: skip
    shown = page(engine, f"/runs/{key}").text
    assert ">train-iteration-2<" in shown and ">iteration 0<" in shown and ">iteration 2<" not in shown
