"""The order of a DAG's tasks in the embedded engine: side by side, and what a failure stops."""

from __future__ import annotations

import graphlib
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from embedded import ir
from embedded.driver import dag
from embedded.errors import ApiError
from kfp.pipeline_spec import pipeline_spec_pb2

DONE = pipeline_spec_pb2.PipelineTaskSpec.TriggerPolicy.TriggerStrategy.ALL_UPSTREAM_TASKS_COMPLETED


def tasks(_last: tuple[str, ...] = (), **after: str) -> dict[str, Any]:
    """Tasks by name, each with the names that it comes after; `_last` start whatever became of those."""
    made = {}
    for name, before in after.items():
        made[name] = pipeline_spec_pb2.PipelineTaskSpec(dependent_tasks=before.split())
        if name in _last:
            made[name].trigger_policy.strategy = DONE
    return made


def told(**ends: str) -> Callable[[str], str]:
    return lambda name: ends.get(name, dag.SUCCEEDED)


def test_tasks_that_nothing_orders_are_at_work_together() -> None:
    together = threading.Barrier(3)  # each waits for the others: one after another would never end

    def one(name: str) -> str:
        if name != "last":
            together.wait(10)
        return dag.SUCCEEDED

    ends = dag.run(tasks(a="", b="", c="", last="a b c"), one, at_once=8)
    assert set(ends.values()) == {dag.SUCCEEDED} and len(ends) == 4


def test_no_more_than_allowed_are_at_work() -> None:
    lock, at_work, most = threading.Lock(), 0, 0

    def one(name: str) -> str:
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
        time.sleep(0.02)
        with lock:
            at_work -= 1
        return dag.SUCCEEDED

    dag.run(tasks(**{f"t{number}": "" for number in range(12)}), one, at_once=3)
    assert most == 3


def test_a_task_starts_after_those_that_it_names_and_those_whose_outputs_it_takes() -> None:
    made = tasks(first="", second="", third="second")
    made["second"].inputs.parameters["x"].task_output_parameter.producer_task = "first"
    made["third"].inputs.artifacts["y"].task_output_artifact.producer_task = "elsewhere"  # of another DAG
    began: list[str] = []
    dag.run(made, lambda name: began.append(name) or dag.SUCCEEDED, at_once=8)  # type: ignore[func-returns-value]
    assert began == ["first", "second", "third"]


def test_a_failure_stops_what_needs_it_and_nothing_else() -> None:
    made = tasks(bad="", after="bad", later="after", good="", better="good", both="bad good")
    ends = dag.run(made, told(bad=dag.FAILED), at_once=2)
    assert ends == {
        "bad": dag.FAILED, "after": dag.OMITTED, "later": dag.OMITTED, "both": dag.OMITTED,
        "good": dag.SUCCEEDED, "better": dag.SUCCEEDED,
    }  # fmt: skip


def test_what_needs_a_skipped_branch_is_left_out() -> None:
    assert dag.run(tasks(branch="", after="branch"), told(branch=dag.SKIPPED), 2)["after"] == dag.OMITTED


@pytest.mark.parametrize(
    ("body", "end"), [(dag.SUCCEEDED, dag.SUCCEEDED), (dag.FAILED, dag.SUCCEEDED), (dag.SKIPPED, dag.OMITTED)]
)
def test_a_last_task_starts_whatever_became_of_the_others_if_they_began(body: str, end: str) -> None:
    made = tasks(("last", "alone"), body="", last="body", alone="")
    assert dag.run(made, told(body=body), 2) == {"body": body, "last": end, "alone": dag.SUCCEEDED}
    made = tasks(("last",), bad="", body="bad", last="body")
    assert dag.run(made, told(bad=dag.FAILED), 2)["last"] == dag.OMITTED, "its body never began"
    made = tasks(("last",), bad="", body="bad", good="", last="body good")
    assert dag.run(made, told(bad=dag.FAILED), 2)["last"] == dag.SUCCEEDED


def test_a_last_task_does_not_wait_for_what_it_has_nothing_to_do_with() -> None:
    ended = threading.Event()

    def one(name: str) -> str:
        if name == "long":
            assert ended.wait(10)
        if name == "last":
            ended.set()
        return dag.SUCCEEDED

    assert dag.run(tasks(("last",), body="", last="body", long=""), one, 8)["long"] == dag.SUCCEEDED


def test_what_ends_the_whole_run_starts_nothing_more() -> None:
    began: list[str] = []

    def one(name: str) -> str:
        began.append(name)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        dag.run(tasks(a="", b="a", **{f"t{number}": "" for number in range(100)}), one, at_once=1)
    assert "b" not in began and len(began) < 100


def test_tasks_that_wait_for_each_other_are_refused() -> None:
    circle = {name: {"componentRef": {"name": "c"}, "dependentTasks": [other]} for name, other in ("ab", "ba")}
    document = {
        "pipelineInfo": {"name": "circle"}, "schemaVersion": "2.1.0", "root": {"dag": {"tasks": circle}},
        "components": {"c": {"executorLabel": "e"}},
        "deploymentSpec": {"executors": {"e": {"container": {"image": "a", "command": ["x"]}}}},
    }  # fmt: skip
    with pytest.raises(ApiError) as error:
        ir.check(document)
    assert "tasks wait for each other: a, b, a" in error.value.message
    with pytest.raises(graphlib.CycleError):
        dag.run(tasks(a="b", b="a"), told(), 2)
