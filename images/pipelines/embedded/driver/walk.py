"""One run from end to end: the SDK's local orchestrator with its seams replaced (see `Walk.run`).

The orchestrator gives no names to what it runs, so a task is known by its path: the names of the nested pipelines,
loops (with the iteration) and conditions that it is inside of, and its own.
"""

from __future__ import annotations

import threading
from typing import Any

from google.protobuf import json_format
from kfp.local import cache, io, status, task_dispatcher
from kfp.local import utils as local_utils
from kfp.local.orchestrator import enhanced_dag_orchestrator, task_executor
from kfp.local.orchestrator.orchestrator_utils import OrchestratorUtils
from kfp.pipeline_spec import pipeline_spec_pb2

from embedded.driver import corrections
from embedded.driver.conditions import holds
from embedded.driver.server import Server
from embedded.driver.tasks import Now, Tasks, artifacts_of, parameters_of

_SUCCESS, _FAILURE = status.Status.SUCCESS, status.Status.FAILURE


class Walk:
    """The walk through one run's pipeline; one for each process, since it replaces functions of the SDK.

    Args:
        job: the server's answer to `Server.job`.
    """

    def __init__(self, server: Server, job: dict[str, Any]) -> None:
        self._server, self._job = server, job
        self._here = threading.local()
        self._tasks = Tasks(server, job, self._now)
        spec = job["document"]["pipeline_spec"]
        self._spec = json_format.ParseDict(spec, pipeline_spec_pb2.PipelineSpec())
        self._conditions: dict[str, tuple[str, Any, str]] = {}
        self._cache = ServerCache(server, self._now)
        self.failures: list[str] = []

    def run(self) -> tuple[str, str, dict[str, Any]]:
        """Walk to the end: the run's state, what failed first, and the pipeline's outputs."""
        corrections.install(self._job["parallel"])
        self._mark_conditions()
        self._replace()
        executors = self._spec.deployment_spec["executors"]
        outputs, ended = enhanced_dag_orchestrator.run_enhanced_dag(
            pipeline_resource_name=self._job["name"],
            dag_component_spec=self._spec.root,
            executors={name: local_utils.struct_to_executor_spec(each) for name, each in executors.items()},
            components=dict(self._spec.components.items()),
            dag_arguments=self._job["parameters"],
            pipeline_root=self._job["artifacts"],
            runner=None,
            unique_pipeline_id=self._job["id"],
            fail_stack=[],
        )
        if ended == _SUCCESS:
            return "SUCCEEDED", "", parameters_of(outputs)
        return "FAILED", self.failures[0] if self.failures else "a task failed", {}

    def _replace(self) -> None:
        walk = self
        plain_task, plain_step = enhanced_dag_orchestrator.execute_task, task_executor.execute_single_task
        plain_loop = enhanced_dag_orchestrator._run_parallel_for_task

        class Store(io.IOStore):  # type: ignore[misc]
            """Values of one (nested) pipeline, which know where they belong."""

            def __init__(self, parent: Any = None) -> None:
                super().__init__(parent)
                self.path: tuple[str, ...] = getattr(walk._here, "path", ())

        def task(**given: Any) -> Any:
            component = given["components"][given["task_spec"].component_ref.name]
            if component.WhichOneof("implementation") != "dag":
                return plain_task(**given)
            return walk._nested(plain_task, given)

        io.IOStore = Store
        enhanced_dag_orchestrator.execute_task = task
        enhanced_dag_orchestrator._run_parallel_for_task = lambda **given: walk._loop(plain_loop, given)
        enhanced_dag_orchestrator.ConditionEvaluator.evaluate_condition = staticmethod(self._condition)
        task_executor.execute_single_task = lambda **given: walk._step(plain_step, given)
        task_dispatcher.run_single_task_implementation = self._tasks.run
        cache.get_local_cache = lambda: self._cache
        cache._is_remote_uri = lambda uri: True  # the server knows what is there, not this machine's disk

    def _now(self) -> Now:
        found: Now = self._here.now
        return found

    def _step(self, plain: Any, given: dict[str, Any]) -> Any:
        """A task with a container or an importer: from the server's record if it has succeeded before."""
        name, spec, store = given["task_name"], given["task_spec"], given["io_store"]
        path = (*store.path, name)
        final = any(each.HasField("task_final_status") for each in spec.inputs.parameters.values())
        component = given["components"][spec.component_ref.name]
        executor = given["executors"][component.executor_label].WhichOneof("spec")
        kind = "exit" if final else str(executor)
        known = self._server.task(path, kind, spec.task_info.name)
        if known["state"] == "SUCCEEDED":
            return self._cache._deserialize_outputs(known["outputs"]["all"]), _SUCCESS
        self._here.now = now = Now(path, known["id"], store, self.failures[0] if self.failures else "")
        try:
            arguments = OrchestratorUtils.make_task_arguments(spec.inputs, store)
            read = {key: [each.uri for each in found] for key, found in artifacts_of(arguments).items()}
            inputs = {"parameters": parameters_of(arguments), "artifacts": read}
            self._server.task(path, kind, inputs=inputs)
            outputs, ended = plain(**given)
        except Exception as error:
            now.error = f"{type(error).__name__}: {error}"
            outputs, ended = {}, _FAILURE
        if ended == _SUCCESS:
            made = [
                {"name": key, "type": each.schema_title, "uri": each.uri, "metadata": corrections.whole(each.metadata)}
                for key, found in artifacts_of(outputs).items()
                for each in found
            ]
            kept = {"all": self._cache._serialize_outputs(outputs), "parameters": parameters_of(outputs)}
            self._server.task(path, kind, state="SUCCEEDED", outputs=kept, artifacts=made, cached=now.cached)
        else:
            self._server.task(path, kind, state="FAILED", error=now.error)
            self.failures.append(f"task {'/'.join(path)} failed: {now.error}")
        return outputs, ended

    def _nested(self, plain: Any, given: dict[str, Any]) -> Any:
        """A nested pipeline, a condition's branch or an iteration."""
        name, outer = given["task_name"], getattr(self._here, "path", ())
        path = (*given["io_store"].path, name)
        self._server.task(path, "dag", state="RUNNING")
        self._here.path = path
        try:
            outputs, ended = plain(**given)
        except Exception as error:
            self.failures.append(f"{'/'.join(path)}: {error}")
            self._server.task(path, "dag", state="FAILED", error=str(error))
            return {}, _FAILURE
        finally:
            self._here.path = outer
        self._server.task(path, "dag", state="SUCCEEDED" if ended == _SUCCESS else "FAILED")
        return outputs, ended

    def _loop(self, plain: Any, given: dict[str, Any]) -> bool:
        """All iterations of a loop; did it fail?"""
        name, store = given["task_name"], given["io_store"]
        path = (*store.path, name)
        self._server.task(path, "loop", state="RUNNING")
        given = {**given, "task_spec": corrections.loop_items(given["task_spec"], store)}
        corrections.no_iterations(name, given["task_spec"], given["components"], store)
        failed = bool(plain(**given))
        self._server.task(path, "loop", state="FAILED" if failed else "SUCCEEDED")
        return failed

    def _mark_conditions(self) -> None:
        """Put a mark in place of each condition: the orchestrator evaluates it without saying whose it is."""
        for where, component in (("root", self._spec.root), *self._spec.components.items()):
            for name, task in component.dag.tasks.items():
                if task.trigger_policy.condition:
                    mark = f"{where}/{name}"
                    self._conditions[mark] = (name, task.inputs, task.trigger_policy.condition)
                    task.trigger_policy.condition = mark

    def _condition(self, condition: str, io_store: Any) -> bool:
        name, inputs, text = self._conditions[condition]
        met = holds(text, OrchestratorUtils.make_task_arguments(inputs, io_store))
        if not met:
            self._server.task((*io_store.path, name), "dag", state="SKIPPED")
        return met


class ServerCache(cache.LocalCache):  # type: ignore[misc]
    """The SDK's cache (its keys, its form of outputs), kept by the server for all runs."""

    def __init__(self, server: Server, now: Any) -> None:
        self._server, self._now = server, now

    def get(self, key: str) -> dict[str, Any] | None:
        """The outputs kept under a key, if their artifacts are there."""
        found = self._server.cached(key)
        self._now().cached = found is not None
        return None if found is None else self._deserialize_outputs(found)

    def put(self, key: str, outputs: dict[str, Any]) -> None:
        """Keep outputs."""
        uris = [each.uri for found in artifacts_of(outputs).values() for each in found]
        self._server.keep_cached(key, self._serialize_outputs(outputs), uris)
