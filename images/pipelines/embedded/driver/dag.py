"""The tasks of one DAG, side by side where nothing puts them in order, as Argo runs them for KFP's own backend.

A task starts once all that it needs have succeeded. What failed stops only what needs it; everything else goes on. A
task of `dsl.ExitHandler` or with `ignore_upstream_failure()` starts once what it comes after has ended, however that
ended, unless it never began.
"""

from __future__ import annotations

import graphlib
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

from kfp.pipeline_spec import pipeline_spec_pb2

# How a task may end. SKIPPED: its condition is not met; OMITTED: what it needs has not succeeded, so it never began.
SUCCEEDED, FAILED, SKIPPED, OMITTED = "SUCCEEDED", "FAILED", "SKIPPED", "OMITTED"

# Of a task that starts however what it comes after has ended.
ALL_UPSTREAM_TASKS_COMPLETED = (
    pipeline_spec_pb2.PipelineTaskSpec.TriggerPolicy.TriggerStrategy.ALL_UPSTREAM_TASKS_COMPLETED
)


def run(tasks: Mapping[str, Any], one: Callable[[str], str], at_once: int) -> dict[str, str]:
    """Run all tasks, each in a thread.

    Args:
        tasks: each task's PipelineTaskSpec by its name.
        one: runs one task to its end and says how it ended; it raises only what has to end the whole run.
        at_once: how many may be at work, those that wait inside `one` for their turn included.

    Returns:
        How each task ended.

    Raises:
        ValueError: tasks wait for each other.
    """
    order = graphlib.TopologicalSorter({name: before(tasks[name], tasks) for name in sorted(tasks)})
    order.prepare()
    ends: dict[str, str] = {}
    working: dict[Future[str], str] = {}
    pool = ThreadPoolExecutor(at_once)
    try:
        while order.is_active():
            while ready := order.get_ready():
                for name in ready:
                    if _may_begin(tasks[name], [ends[each] for each in before(tasks[name], tasks)]):
                        working[pool.submit(one, name)] = name
                    else:
                        ends[name] = OMITTED
                        order.done(name)
            for ended in wait(working, return_when=FIRST_COMPLETED).done:
                name = working.pop(ended)
                ends[name] = ended.result()
                order.done(name)
    finally:
        # Nothing is left here unless the run is over for this process; what is at work finds that out by itself.
        pool.shutdown(wait=False, cancel_futures=True)
    return ends


def before(task: Any, tasks: Mapping[str, Any]) -> set[str]:
    """The tasks of the same DAG that one comes after: those that it names, and those whose outputs it takes."""
    names = set(task.dependent_tasks)
    for parameter in task.inputs.parameters.values():
        names.add(parameter.task_output_parameter.producer_task)
    for artifact in task.inputs.artifacts.values():
        names.add(artifact.task_output_artifact.producer_task)
    return names & tasks.keys()


def _may_begin(task: Any, ends: list[str]) -> bool:
    if task.trigger_policy.strategy == ALL_UPSTREAM_TASKS_COMPLETED:
        return not ends or SUCCEEDED in ends or FAILED in ends
    return all(end == SUCCEEDED for end in ends)
