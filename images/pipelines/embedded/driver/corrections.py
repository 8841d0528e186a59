"""What the SDK's local orchestrator (kfp.local of 2.17.3) gets wrong, put right by replacing single functions.

Each was seen to go wrong; tests/conformance has a pipeline for each. A test pins the source of what is replaced or
relied upon, so that an upgrade of the SDK comes with a look at this file.
"""

from __future__ import annotations

import contextlib
import copy
import json
import re
from collections.abc import Callable
from typing import Any

from kfp import dsl
from kfp.compiler import pipeline_spec_builder
from kfp.local import executor_output_utils, placeholder_utils
from kfp.local.orchestrator import enhanced_dag_orchestrator, task_spec_utils
from kfp.local.orchestrator.orchestrator_utils import OrchestratorUtils

from embedded.driver import parameters, placeholders

_FIELD = re.compile(r'parseJson\(string_value\)\["(.*)"\]', re.DOTALL)


def whole(value: Any) -> Any:
    """A value with integers in place of whole floats. Protobuf's Struct has floats alone, while the real launcher
    writes JSON, where 3.0 is 3: a component typed `-> int` that adds up a list would fail."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [whole(item) for item in value]
    if isinstance(value, dict):
        return {key: whole(item) for key, item in value.items()}
    return value


def install(parallel: int) -> None:
    """Replace the functions, in this process.

    Args:
        parallel: iterations of one loop that may run at once; the SDK has a limit of 2, for a laptop's sake.
    """
    plain = executor_output_utils.pb2_value_to_python
    executor_output_utils.pb2_value_to_python = lambda value: whole(plain(value))
    OrchestratorUtils.join_user_inputs_and_defaults = classmethod(_inputs_and_defaults)
    OrchestratorUtils._apply_expression_selector = classmethod(_field)
    OrchestratorUtils.get_dag_output_artifacts = classmethod(_output_artifacts)
    OrchestratorUtils.make_task_arguments = classmethod(_arguments(OrchestratorUtils.make_task_arguments))
    placeholder_utils.resolve_individual_placeholder = _filled
    task_spec_utils.create_parameter_loop_iteration_task_spec = _iteration
    task_spec_utils.build_nested_dag_arguments = _nested_arguments
    enhanced_dag_orchestrator.ParallelExecutor = _wider(enhanced_dag_orchestrator.ParallelExecutor, parallel)


def inherit_retries(spec: Any) -> None:
    """Give a nested pipeline's retries to the tasks inside of it that have none of their own, in its branches and loops
    too, as KFP's compiler for Argo does it; the SDK does not look at them. A component that several tasks have gets
    those of the first by name, as there.

    Args:
        spec: the PipelineSpec, which is changed.
    """
    seen: set[str] = set()
    left = [(spec.root, None)]
    while left:
        component, outer = left.pop()
        below = []
        for _, task in sorted(component.dag.tasks.items()):
            if outer is not None and outer.HasField("retry_policy") and not task.HasField("retry_policy"):
                task.retry_policy.CopyFrom(outer.retry_policy)
            below.append(task)
        for task in below:
            if (name := task.component_ref.name) not in seen:
                seen.add(name)
                left.append((spec.components[name], task))


def loop_items(task_spec: Any, io_store: Any) -> Any:
    """A loop's task with its items written out. The SDK looks for the items of a loop by the name of its input, and
    finds none if they come from an output that is not called `Output`; then it skips the loop."""
    if task_spec.WhichOneof("iterator") != "parameter_iterator":
        return task_spec
    items = task_spec.parameter_iterator.items
    name = items.input_parameter
    if not name:
        return task_spec
    values = OrchestratorUtils.make_task_arguments(task_spec.inputs, io_store)
    found = values[name] if name in values else io_store.get_parent_input(name)
    found = json.loads(found) if isinstance(found, str) else found
    written = copy.deepcopy(task_spec)
    written.parameter_iterator.items.raw = json.dumps(found)
    return written


def no_iterations(task_name: str, task_spec: Any, components: Any, io_store: Any) -> None:
    """A loop over nothing still has outputs, empty lists; the SDK gives it none, and who collects them fails."""
    outputs = components[task_spec.component_ref.name].output_definitions
    for name in (*outputs.parameters, *outputs.artifacts):
        io_store.put_task_output(task_name, name, [])


def _field(cls: Any, value: Any, expression: str) -> Any:
    """A field of a loop's item; the SDK gives the whole item where it has no such field."""
    found = _FIELD.fullmatch(expression)
    item = json.loads(value) if isinstance(value, str) else value
    if not found or not isinstance(item, dict) or found[1] not in item:
        raise ValueError(f"the loop's item has no {found[1] if found else expression}: {str(item)[:200]}")
    return item[found[1]]


def _arguments(plain: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """What is written in the pipeline is put together here, where it is known from values; the SDK goes through all
    texts when it makes the command."""

    def arguments(cls: Any, task_inputs_spec: Any, io_store: Any) -> dict[str, Any]:
        values = plain(task_inputs_spec, io_store)
        return {
            name: placeholders.together(value, values)
            if _is_written(name, task_inputs_spec.parameters.get(name))
            else value
            for name, value in values.items()
        }

    return arguments


def _is_written(name: str, given: Any) -> bool:
    """Is an input's value written in the pipeline? What `_iteration` writes for an item is called as a channel."""
    return given is not None and parameters.written(given) and not name.startswith("pipelinechannel--")


def _filled(
    element: str,
    executor_input_dict: dict[str, Any],
    pipeline_resource_name: str,
    task_resource_name: str,
    pipeline_root: str,
    pipeline_job_id: str,
    pipeline_task_id: str,
) -> str:
    """For the metadata of an importer; the SDK goes through what it has filled in again, and fails on other texts in
    double braces or makes them null."""
    known = {
        dsl.PIPELINE_JOB_NAME_PLACEHOLDER: pipeline_resource_name,
        dsl.PIPELINE_JOB_RESOURCE_NAME_PLACEHOLDER: pipeline_resource_name,
        dsl.PIPELINE_JOB_ID_PLACEHOLDER: pipeline_job_id,
        dsl.PIPELINE_TASK_NAME_PLACEHOLDER: task_resource_name,
        dsl.PIPELINE_TASK_ID_PLACEHOLDER: pipeline_task_id,
        dsl.PIPELINE_ROOT_PLACEHOLDER: pipeline_root,
    }
    return placeholders.filled(element, executor_input_dict, known)


def _inputs_and_defaults(cls: Any, dag_arguments: dict[str, Any], dag_inputs_spec: Any) -> dict[str, Any]:
    """An optional input without a default is None; the SDK fails on it."""
    values = copy.deepcopy(dag_arguments)
    for name, spec in dag_inputs_spec.parameters.items():
        if name not in values:
            given = spec.default_value.WhichOneof("kind")
            values[name] = executor_output_utils.pb2_value_to_python(spec.default_value) if given else None
    for name, spec in dag_inputs_spec.artifacts.items():
        if name not in values and spec.is_optional:
            values[name] = None
    return values


def _output_artifacts(cls: Any, dag_outputs_spec: Any, io_store: Any) -> dict[str, Any]:
    """dsl.OneOf of artifacts: the one that there is; the SDK wants a single candidate."""
    outputs = {}
    for name, spec in dag_outputs_spec.artifacts.items():
        found = []
        for selector in spec.artifact_selectors:
            try:
                found.append(io_store.get_task_output(selector.producer_subtask, selector.output_artifact_key))
            except ValueError:
                continue
        if len(found) != 1:
            raise ValueError(
                f"the output {name} needs one of {len(spec.artifact_selectors)} artifacts; {len(found)} came"
            )
        outputs[name] = found[0]
    return outputs


def _iteration(original_task_spec: Any, loop_item: Any, loop_task_name: str) -> Any:
    """One iteration's task: the item is one input, all others are what they are; the SDK gives the item for every
    input that is a task's output."""
    made = copy.deepcopy(original_task_spec)
    name = original_task_spec.parameter_iterator.item_input
    made.inputs.parameters[name].Clear()
    made.inputs.parameters[name].runtime_value.constant.CopyFrom(pipeline_spec_builder.to_protobuf_value(loop_item))
    made.ClearField("parameter_iterator")
    return made


def _nested_arguments(task_name: str, task_spec: Any, component_spec: Any, io_store: Any) -> dict[str, Any]:
    """A nested pipeline's inputs are what its task says; the SDK leaves out artifacts where there are no parameters,
    and takes the outer pipeline's input of the same name in place of a default."""
    values: dict[str, Any] = OrchestratorUtils.make_task_arguments(task_spec.inputs, io_store)
    _, is_iteration, number = task_name.rpartition("-iteration-")
    for name in component_spec.input_definitions.artifacts if is_iteration else ():
        if name not in values:
            with contextlib.suppress(ValueError):  # an optional one, also of what is only called like an iteration
                values[name] = io_store.get_parent_input(f"{name}-iteration-{number}")
    return values


def _wider(executor: type, parallel: int) -> Callable[..., Any]:
    class Wider(executor):  # type: ignore[misc]
        def __init__(self, max_workers: int | None = None) -> None:
            super().__init__(max_workers)
            self.conservative_max = self.max_workers = parallel

    return Wider
