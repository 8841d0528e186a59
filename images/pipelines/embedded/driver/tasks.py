"""A task of the SDK's local orchestrator, run in a pod of its own.

Stands in for `kfp.local.task_dispatcher.run_single_task_implementation`: the same executor input, and outputs read by
the SDK's own functions; what fills in placeholders and what runs the command are others.
"""

from __future__ import annotations

import functools
import json
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from kfp import dsl
from kfp.local import executor_input_utils, executor_output_utils, placeholder_utils, status
from kfp.local.orchestrator.orchestrator_utils import OrchestratorUtils
from kfp.pipeline_spec import pipeline_spec_pb2

from embedded import kubernetes_settings
from embedded.driver import parameters, placeholders
from embedded.driver.corrections import whole
from embedded.driver.placeholders import local_path
from embedded.driver.server import Server, Superseded

_OUTPUT_FILE = "executor_output.json"


@dataclass
class Now:
    """The task that a thread is at.

    Args:
        path: see walk.py.
        task: its id on the server.
        values: the values of the pipeline that it is in.
        failed: what has failed in what an exit task comes after.
        begun: was it tried before, for a driver that was there before this one?
        beside: what the cache tells steps apart by besides the SDK's key.
    """

    path: tuple[str, ...]
    task: str
    values: Any
    failed: str
    begun: bool = False
    attempts: int = 0
    cached: bool = False
    error: str = ""
    beside: list[str] = field(default_factory=list)


class Tasks:
    """Runs tasks of one run.

    Args:
        now: the task that the calling thread is at.
    """

    def __init__(self, server: Server, job: dict[str, Any], now: Callable[[], Now]) -> None:
        self._server, self._job, self._now = server, job, now
        self._room = threading.BoundedSemaphore(job["parallel"])

    def run(
        self,
        pipeline_resource_name: str,
        component_name: str,
        component_spec: Any,
        executor_spec: Any,
        arguments: dict[str, Any],
        pipeline_root: str,
        runner: Any,
        raise_on_error: bool,
        block_input_artifact: bool,
        unique_pipeline_id: str,
    ) -> tuple[dict[str, Any], status.Status]:
        """Run a task to its end; the orchestrator tries again where the pipeline asks for that."""
        now = self._now()
        number, now.attempts = now.attempts, now.attempts + 1
        arguments = parameters.typed(component_spec, self._final_status(component_spec, now, arguments))
        wanted = self._wanted(now, number, component_spec, executor_spec, arguments)
        with self._room:
            ended = self._server.attempt(now.task, number, wanted)
        if ended["state"] == "CANCELED":
            raise Superseded("the run was terminated")
        if ended["state"] != "SUCCEEDED":
            now.error = ended["error"] or "failed"
            return {}, status.Status.FAILURE
        try:
            return _outputs(component_spec, arguments, ended["result"], wanted["parameters"]), status.Status.SUCCESS
        except ValueError as error:  # the command's fault, so that it may be tried again
            now.error = str(error)
            return {}, status.Status.FAILURE

    def claims(self, now: Now, component: Any) -> list[str]:
        """The names of the volume claims that a task mounts."""
        return sorted({str(each.get("constant")) for each in self._kubernetes(now, component).get("pvcMount", ())})

    def _kubernetes(self, now: Now, component: Any) -> dict[str, Any]:
        platform = self._job["document"].get("platform_spec") or {}
        settings = kubernetes_settings.of_executor(platform, component.executor_label)
        return kubernetes_settings.resolved(settings, lambda spec: self._value(now, spec))

    def _wanted(
        self, now: Now, number: int, component: Any, executor: Any, arguments: dict[str, Any]
    ) -> dict[str, Any]:
        """What the server needs to know to make the pod."""
        job, container = self._job, executor.container
        pipeline = job["document"]["pipeline_spec"]["pipelineInfo"]["name"]
        where = "/".join(("v2", "artifacts", pipeline, job["id"], *now.path, f"{job['round']}-{number}"))
        root = f"{job['artifacts']}/{where}"
        message = executor_input_utils.construct_executor_input(component, arguments, local_path(root), False)
        known = message.inputs.parameter_values  # also, without a value, what has neither an argument nor a default
        for name in [name for name, value in known.items() if value.WhichOneof("kind") in (None, "null_value")]:
            del known[name]
        given = whole(executor_input_utils.executor_input_to_dict(message, component))
        for name, found in given.get("outputs", {}).get("artifacts", {}).items():
            found["artifacts"][0]["uri"] = f"{root}/{name}"
        resolve = functools.partial(placeholders.filled, given=given, known=parameters.constants(job, now.path))
        present = placeholder_utils.get_provided_inputs(given)
        words = [
            placeholder_utils.resolve_struct_placeholders(word, present)  # of IfPresent and Concat
            for word in [*container.command, *container.args]
        ]
        outputs = given.get("outputs", {})
        return {
            "image": resolve(container.image),
            "command": [resolve(word) for word in placeholder_utils.flatten_list(words)],
            "env": {each.name: resolve(each.value) for each in container.env},
            "resources": _resources(container.resources, resolve),
            "kubernetes": self._kubernetes(now, component),
            "root": root,
            "inputs": [
                {"uri": each["uri"], "path": local_path(each["uri"])}
                for found in given.get("inputs", {}).get("artifacts", {}).values()
                for each in found.get("artifacts", [])
            ],
            "outputs": [
                {"name": name, "uri": found["artifacts"][0]["uri"], "path": local_path(found["artifacts"][0]["uri"])}
                for name, found in outputs.get("artifacts", {}).items()
            ],
            "parameters": [
                {"name": name, "path": each["outputFile"]} for name, each in outputs.get("parameters", {}).items()
            ],
            "output_file": outputs["outputFile"],
        }

    def _value(self, now: Now, spec: dict[str, Any]) -> Any:
        """The value of a parameter in a kfp-kubernetes setting."""
        if (
            isinstance(spec.get("componentInputParameter"), str)
            or "runtimeValue" in spec
            or "taskOutputParameter" in spec
        ):
            holder = {"inputs": {"parameters": {"it": spec}}}
            task = json_format.ParseDict(holder, pipeline_spec_pb2.PipelineTaskSpec())
            known = parameters.filled_in(task, parameters.constants(self._job, now.path))
            return OrchestratorUtils.make_task_arguments(known.inputs, now.values)["it"]
        raise ValueError(f"a Kubernetes setting has a value that can't be read: {json.dumps(spec)}")

    def _final_status(self, component: Any, now: Now, arguments: dict[str, Any]) -> dict[str, Any]:
        """Arguments without those that are not there, and with the run's own name and trouble for an exit task."""
        given = {name: value for name, value in arguments.items() if value is not None}
        kind = pipeline_spec_pb2.ParameterType.ParameterTypeEnum.TASK_FINAL_STATUS
        for name, spec in component.input_definitions.parameters.items():
            if spec.parameter_type == kind and isinstance(given.get(name), dict):
                told = {**given[name], "pipeline_job_resource_name": self._job["name"]}
                if told.get("error"):
                    told["error"] = {"code": 1, "message": now.failed or told["error"].get("message", "")}
                given[name] = told
        return given


def artifacts_of(values: dict[str, Any]) -> dict[str, list[Any]]:
    """The artifacts among some values, each as a list."""
    lists = {name: value if isinstance(value, list) else [value] for name, value in values.items()}
    return {name: items for name, items in lists.items() if items and isinstance(items[0], dsl.Artifact)}


def parameters_of(values: dict[str, Any]) -> dict[str, Any]:
    """The other ones."""
    artifacts = artifacts_of(values)
    return {name: value for name, value in values.items() if name not in artifacts}


def _outputs(
    component: Any, arguments: dict[str, Any], result: dict[str, Any], declared: list[dict[str, str]]
) -> dict[str, Any]:
    """A task's outputs, as the SDK reads them from what its executor has written. A parameter that is not there comes
    from its file.

    Args:
        declared: the output parameters, each with the `path` of its file.

    Raises:
        ValueError: an output parameter was not written, or is of another type.
    """
    output = dict(result.get("output") or {})
    values, files = dict(output.get("parameterValues") or {}), result.get("parameters") or {}
    for name, path in ((each["name"], each["path"]) for each in declared):
        if name in files and name not in values:
            values[name] = parameters.read(name, component.output_definitions.parameters[name], files[name])
        elif name not in values:
            raise ValueError(f"the step has not written its output {name}: there is no file {path}")
    if values:
        output["parameterValues"] = values
    with tempfile.TemporaryDirectory() as folder:
        message = executor_input_utils.construct_executor_input(component, arguments, folder, False)
        Path(message.outputs.output_file).write_text(json.dumps(output))
        read: dict[str, Any] = executor_output_utils.get_outputs_for_task(message, component)
        return read


def _resources(asked: Any, resolve: Callable[[str], str]) -> dict[str, dict[str, str]]:
    """Kubernetes' form of a container's resources; older SDKs write numbers of cores and of gigabytes."""
    done: dict[str, dict[str, str]] = {"requests": {}, "limits": {}}
    for kind in ("request", "limit"):
        for name in ("cpu", "memory"):
            text, number = getattr(asked, f"resource_{name}_{kind}"), getattr(asked, f"{name}_{kind}")
            if text:
                done[f"{kind}s"][name] = resolve(text)
            elif number:
                done[f"{kind}s"][name] = f"{round(number * 1000)}m" if name == "cpu" else str(round(number * 1e9))
    accelerator = asked.accelerator
    name = accelerator.resource_type or accelerator.type
    if name:
        count = resolve(accelerator.resource_count) if accelerator.resource_count else str(accelerator.count or 1)
        done["limits"][resolve(name)] = count
    return done
