"""Parameters of steps, as KFP's own driver hands them on and its launcher reads them. The SDK's local orchestrator
passes on whatever there is.

Nothing here asks the server.
"""

from __future__ import annotations

import copy
import json
import math
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from google.protobuf import json_format
from kfp import dsl
from kfp.local import executor_output_utils
from kfp.pipeline_spec import pipeline_spec_pb2

from embedded import nesting
from embedded.ir import KINDS

_KIND = pipeline_spec_pb2.ParameterType.ParameterTypeEnum
_PLACEHOLDER = re.compile(r"\{\{\$\.[a-z_]+\}\}")
_BOOLEANS = {"1": True, "t": True, "true": True, "0": False, "f": False, "false": False}


def constants(job: Mapping[str, Any], path: tuple[str, ...]) -> dict[str, str]:
    """What the SDK's placeholders of a run and of a task stand for.

    Args:
        job: the server's answer to `Server.job`.
        path: the task's.
    """
    created, scheduled = (f"{job[key][:19]}Z" for key in ("created", "scheduled"))  # whole seconds, as there
    return {
        dsl.PIPELINE_JOB_NAME_PLACEHOLDER: job["name"],
        dsl.PIPELINE_JOB_RESOURCE_NAME_PLACEHOLDER: job["name"],
        dsl.PIPELINE_JOB_ID_PLACEHOLDER: job["id"],
        dsl.PIPELINE_ROOT_PLACEHOLDER: job["artifacts"],
        dsl.PIPELINE_JOB_CREATE_TIME_UTC_PLACEHOLDER: created,
        dsl.PIPELINE_JOB_SCHEDULE_TIME_UTC_PLACEHOLDER: scheduled,
        dsl.PIPELINE_TASK_NAME_PLACEHOLDER: path[-1],
        dsl.PIPELINE_TASK_ID_PLACEHOLDER: nesting.task_id(job["id"], "/".join(path)),
    }


def filled_in(task: Any, known: Mapping[str, str]) -> Any:
    """A task with values in place of the placeholders in its inputs: before anything reads them, since a step that has
    another run's id as its input is another step to the cache.

    Args:
        task: its PipelineTaskSpec, which stays as it is: it may run in several iterations.
    """
    filled = task
    for name, given in task.inputs.parameters.items():
        plain = executor_output_utils.pb2_value_to_python(given.runtime_value.constant) if written(given) else None
        value = in_texts(plain, lambda text: _PLACEHOLDER.sub(lambda found: known.get(found[0], found[0]), text))
        if value != plain:
            filled = copy.deepcopy(task) if filled is task else filled
            json_format.ParseDict(value, filled.inputs.parameters[name].runtime_value.constant)
    return filled


def in_texts(value: Any, fill: Callable[[str], str]) -> Any:
    """A value with its texts filled in, those in lists and mappings too."""
    if isinstance(value, str):
        return fill(value)
    if isinstance(value, list):
        return [in_texts(item, fill) for item in value]
    if isinstance(value, dict):
        return {fill(key): in_texts(item, fill) for key, item in value.items()}
    return value


def written(given: Any) -> bool:
    """Is an input's value written in the pipeline?"""
    return bool(given.runtime_value.constant.WhichOneof("kind"))


def with_defaults(task: Any, component: Any, there: Callable[[str, str], bool]) -> Any:
    """A task that starts however others ended, without the inputs that those have not produced, if each of them is
    optional: so it gets their defaults, for which the SDK asks where it is told to ignore failures.

    Args:
        task: its PipelineTaskSpec, which stays as it is.
        there: has a task of the same pipeline this output?
    """
    missing = {
        name
        for name, given in task.inputs.parameters.items()
        if given.HasField("task_output_parameter")
        and not there(given.task_output_parameter.producer_task, given.task_output_parameter.output_parameter_key)
    }
    missing |= {  # what is put together from such
        name
        for name, given in task.inputs.parameters.items()
        if any(f"['{each}']" in json_format.MessageToJson(given.runtime_value.constant) for each in missing)
    }
    without = {
        name
        for name, given in task.inputs.artifacts.items()
        if given.HasField("task_output_artifact")
        and not there(given.task_output_artifact.producer_task, given.task_output_artifact.output_artifact_key)
    }
    declared = component.input_definitions
    known = [declared.parameters[name] for name in missing if name in declared.parameters]
    known += [declared.artifacts[name] for name in without if name in declared.artifacts]
    if not known or not all(each.is_optional for each in known):
        return task
    left = copy.deepcopy(task)
    for name in missing:
        del left.inputs.parameters[name]
    for name in without:
        del left.inputs.artifacts[name]
    return left


def need_values(inputs: Any, component: Any, outer: Callable[[str], Any]) -> None:
    """Every input that is not optional has a value.

    Args:
        inputs: the task's TaskInputsSpec.
        outer: gives a parameter of the pipeline that the task is in; None where that has no value.

    Raises:
        ValueError: one has none.
    """
    declared = component.input_definitions.parameters
    for name, given in inputs.parameters.items():
        source = given.component_input_parameter
        if source and name in declared and not declared[name].is_optional and outer(source) is None:
            taker, giver = (each.removeprefix("pipelinechannel--") for each in (name, source))
            raise ValueError(
                f"the input {taker} needs a value, and the pipeline's {giver} was given none and has no default"
            )


def typed(component: Any, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """A step's arguments, with text for each input that is a text.

    Raises:
        ValueError: one is of another type than its input.
    """
    values = dict(arguments)
    for name, declared in component.input_definitions.parameters.items():
        kind, value = _KIND.Name(declared.parameter_type), values.get(name)
        if value is None or kind not in KINDS:
            continue
        if kind == "STRING":
            values[name] = as_text(value)
        elif not isinstance(value, KINDS[kind]) or (isinstance(value, bool) and kind != "BOOLEAN"):
            raise ValueError(f"the input {name} is of type {kind}; {repr(value)[:200]} is not")
    return values


def read(name: str, declared: Any, text: str) -> Any:
    """The value in the file of an output parameter.

    Args:
        declared: its ParameterSpec.

    Raises:
        ValueError: it is not of the declared type.
    """
    kind, plain = _KIND.Name(declared.parameter_type), text.strip()
    try:
        match kind:
            case "STRING":
                return text
            case "NUMBER_INTEGER" if re.fullmatch(r"[-+]?[0-9]{1,19}", plain):
                return int(plain)
            case "NUMBER_DOUBLE" if "_" not in plain and math.isfinite(number := float(plain)):
                return number
            case "BOOLEAN" if plain in {form for each in _BOOLEANS for form in (each, each.upper(), each.title())}:
                return _BOOLEANS[plain.lower()]
            case "LIST" | "STRUCT" if isinstance(value := json.loads(text), KINDS[kind]):
                return value
    except ValueError:
        pass
    raise ValueError(f"the output {name} is of type {kind}; what its file holds is not: {text[:200]!r}")


def as_text(value: Any) -> str:
    """A value as KFP writes it where a text is asked for, and inside of a longer one."""
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return format(Decimal(repr(value)), "f").removesuffix(".0")
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
