"""One run from end to end: the SDK's local orchestrator with its seams replaced (see `Walk.run`).

Its DAGs are walked here (`dag.run`), since it runs their tasks one after another; loops, tasks, inputs and outputs are
its own. It gives no names to what it runs, so a task is known by its path: the names of the nested pipelines, loops
(with the iteration) and conditions that it is inside of, and its own.
"""

from __future__ import annotations

import functools
import hashlib
import threading
from typing import Any

from google.protobuf import json_format
from kfp.local import cache, io, status, task_dispatcher
from kfp.local import utils as local_utils
from kfp.local.orchestrator import enhanced_dag_orchestrator, task_executor
from kfp.local.orchestrator.orchestrator_utils import OrchestratorUtils
from kfp.pipeline_spec import pipeline_spec_pb2

from embedded import differences, jsons, nesting
from embedded.driver import corrections, dag, parameters
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
        corrections.inherit_retries(self._spec)
        self._cache = ServerCache(server, self._now)
        self._failures: list[tuple[tuple[str, ...], str]] = []  # paths, and what went wrong there, in order

    def run(self) -> tuple[str, str, dict[str, Any]]:
        """Walk to the end: the run's state, what failed first, and the pipeline's outputs."""
        corrections.install(self._job["parallel"])
        self._replace()
        executors = self._spec.deployment_spec["executors"]
        outputs, ended = self._dag(
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
            return "SUCCEEDED", "", _brief(outputs)
        return "FAILED", self._trouble() or "a task failed", {}

    def _replace(self) -> None:
        walk = self
        plain_task, plain_step = enhanced_dag_orchestrator.execute_task, task_executor.execute_single_task

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
        enhanced_dag_orchestrator.run_enhanced_dag = self._dag
        task_executor.execute_single_task = lambda **given: walk._step(plain_step, given)
        task_dispatcher.run_single_task_implementation = self._tasks.run
        cache.get_local_cache = lambda: self._cache
        cache._is_remote_uri = lambda uri: True  # the server knows what is there, not this machine's disk

    def _now(self) -> Now:
        found: Now = self._here.now
        return found

    def _dag(
        self,
        dag_component_spec: Any,
        dag_arguments: dict[str, Any],
        parent_io_store: Any = None,
        **shared: Any,
    ) -> tuple[dict[str, Any], status.Status]:
        """The pipeline, or what is inside of a nested one, a branch or an iteration. Stands in for the SDK's
        `run_enhanced_dag`."""
        store = io.IOStore(parent=parent_io_store)
        given = OrchestratorUtils.join_user_inputs_and_defaults(
            dag_arguments=dag_arguments, dag_inputs_spec=dag_component_spec.input_definitions
        )
        for name, value in given.items():
            store.put_parent_input(name, value)
        tasks = dict(dag_component_spec.dag.tasks.items())
        ends = dag.run(
            tasks,
            lambda name: self._task({**shared, "task_name": name, "task_spec": tasks[name], "io_store": store}, tasks),
            self._job["parallel"],
        )
        if dag.FAILED in ends.values():
            return {}, _FAILURE
        return OrchestratorUtils.get_dag_outputs(dag_component_spec.dag.outputs, store), _SUCCESS

    def _task(self, given: dict[str, Any], others: dict[str, Any]) -> str:
        """A task of a DAG, whatever it is, to its end."""
        name, store = given["task_name"], given["io_store"]
        spec = parameters.filled_in(given["task_spec"], parameters.constants(self._job, (*store.path, name)))
        component = given["components"][spec.component_ref.name]
        if spec.trigger_policy.strategy == dag.ALL_UPSTREAM_TASKS_COMPLETED:
            spec = parameters.with_defaults(spec, component, functools.partial(_produced, store))
        given = {**given, "task_spec": spec}
        kind = "loop" if spec.WhichOneof("iterator") else "dag"
        try:
            if component.WhichOneof("implementation") == "dag":
                parameters.need_values(spec.inputs, component, store.get_parent_input)
            condition = spec.trigger_policy.condition
            if condition and not holds(condition, OrchestratorUtils.make_task_arguments(spec.inputs, store)):
                self._tell((*store.path, name), kind, state="SKIPPED")
                return dag.SKIPPED
            if kind == "loop":
                ended = self._loop(given, others)
            else:
                outputs, ended = enhanced_dag_orchestrator.execute_task(**given)
                for key, value in outputs.items():
                    store.put_task_output(name, key, value)
        except Exception as error:
            self._fail((*store.path, name), kind, error)
            ended = _FAILURE
        end = dag.SUCCEEDED if ended == _SUCCESS else dag.FAILED
        store.put_task_status(name, end)
        return end

    def _step(self, plain: Any, given: dict[str, Any]) -> Any:
        """A task with a container or an importer: from the server's record if it has succeeded before."""
        name, spec, store = given["task_name"], given["task_spec"], given["io_store"]
        path = (*store.path, name)
        component = given["components"][spec.component_ref.name]
        executor = given["executors"][component.executor_label].WhichOneof("spec")
        ends = {each.task_final_status.producer_task for each in spec.inputs.parameters.values()} - {""}
        last = spec.trigger_policy.strategy == dag.ALL_UPSTREAM_TASKS_COMPLETED
        kind = "exit" if last else str(executor)
        known = self._tell(path, kind, spec.task_info.name)
        if known["state"] == "SUCCEEDED":
            return self._cache._deserialize_outputs(known["outputs"]["all"]), _SUCCESS
        failed = [text for each in ends if (text := self._trouble((*store.path, each)))]
        self._here.now = now = Now(path, known["id"], store, "".join(failed[:1]), begun=known["begun"])
        try:
            parameters.need_values(spec.inputs, component, store.get_parent_input)
            arguments = parameters.typed(component, OrchestratorUtils.make_task_arguments(spec.inputs, store))
            read = {key: [each.uri for each in found] for key, found in artifacts_of(arguments).items()}
            inputs = {"parameters": _brief(arguments), "artifacts": read}
            self._tell(path, kind, inputs=inputs)
            now.beside = [self._spec.pipeline_info.name, *self._tasks.claims(now, component)]
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
            kept = {"all": self._cache._serialize_outputs(outputs), "parameters": _brief(outputs)}
            self._tell(path, kind, state="SUCCEEDED", outputs=kept, artifacts=made, cached=now.cached)
        else:
            self._tell(path, kind, state="FAILED", error=now.error)
            self._failures.append((path, f"task {'/'.join(path)} failed: {now.error}"))
        return outputs, ended

    def _nested(self, plain: Any, given: dict[str, Any]) -> Any:
        """A nested pipeline, a condition's branch or an iteration."""
        name, outer = given["task_name"], getattr(self._here, "path", ())
        path = (*given["io_store"].path, name)
        self._tell(path, "dag", state="RUNNING")
        self._here.path = path
        try:
            outputs, ended = plain(**given)
        except Exception as error:
            self._fail(path, "dag", error)
            return {}, _FAILURE
        finally:
            self._here.path = outer
        self._tell(path, "dag", state="SUCCEEDED" if ended == _SUCCESS else "FAILED")
        return outputs, ended

    def _loop(self, given: dict[str, Any], others: dict[str, Any]) -> status.Status:
        """All iterations of a loop."""
        name, store = given["task_name"], given["io_store"]
        path = (*store.path, name)
        self._tell(path, "loop", state="RUNNING")
        spec = corrections.loop_items(given["task_spec"], store)
        corrections.no_iterations(name, spec, given["components"], store)
        if spec.parameter_iterator.items.raw == "[]":
            takers = [each for each, other in others.items() if name in dag.before(other, others)]
            if takers:
                self._server.warn(differences.empty_loop(name, takers))
        executor = enhanced_dag_orchestrator.ParallelExecutor()
        failed = enhanced_dag_orchestrator._run_parallel_for_task(
            **{**given, "task_spec": spec, "parallel_executor": executor}
        )
        self._tell(path, "loop", state="FAILED" if failed else "SUCCEEDED")
        return _FAILURE if failed else _SUCCESS

    def _tell(self, path: tuple[str, ...], kind: str, shown: str = "", **known: Any) -> dict[str, Any]:
        """See `Server.task`."""
        whole = "/".join(path)
        above = nesting.above(self._job["document"]["pipeline_spec"], whole)
        return self._server.task(whole, above, kind, shown, **known)

    def _fail(self, path: tuple[str, ...], kind: str, error: Exception) -> None:
        """Something went wrong outside of a step."""
        self._failures.append((path, f"{'/'.join(path)}: {error}"))
        self._tell(path, kind, state="FAILED", error=str(error))

    def _trouble(self, inside: tuple[str, ...] = ()) -> str:
        """What failed first, in the whole run or inside of one task; empty if nothing has."""
        return next((text for path, text in self._failures if path[: len(inside)] == inside), "")


def _produced(store: Any, task: str, output: str) -> bool:
    return output in store._task_output_data.get(task, ())  # not one of that name outside, as the SDK would have it


def _brief(values: dict[str, Any]) -> dict[str, Any]:
    """The parameters among some values, to look at: many steps may have the same large one."""
    return {name: jsons.brief(value) for name, value in parameters_of(values).items()}


class ServerCache(cache.LocalCache):  # type: ignore[misc]
    """The SDK's cache (its form of outputs), kept by the server for all runs of pipelines with one name. To the SDK's
    keys come the step's volume claims, which it may have written to."""

    def __init__(self, server: Server, now: Any) -> None:
        self._server, self._now = server, now

    def get(self, key: str) -> dict[str, Any] | None:
        """The outputs kept under a key, if their artifacts are there; not for a step that is at work already."""
        found = None if self._now().begun else self._server.cached(self._whole(key))
        self._now().cached = found is not None
        return None if found is None else self._deserialize_outputs(found)

    def put(self, key: str, outputs: dict[str, Any]) -> None:
        """Keep outputs."""
        uris = [each.uri for found in artifacts_of(outputs).values() for each in found]
        self._server.keep_cached(self._whole(key), self._serialize_outputs(outputs), uris)

    def _whole(self, key: str) -> str:
        return hashlib.sha256("\0".join([key, *self._now().beside]).encode()).hexdigest()
