"""What a step of the embedded engine gets as inputs and what is read of its outputs: as KFP's own backend does it."""

from __future__ import annotations

from typing import Any

import pytest
from embedded import macros, nesting
from embedded.driver import corrections, parameters, placeholders
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

RUN = "11111111-0000-0000-0000-000000000000"
JOB = {
    "id": RUN, "name": "my run", "created": "2026-01-02T03:04:05.678Z", "scheduled": "2026-01-02T03:00:00.000Z",
    "artifacts": "minio://b",
}  # fmt: skip


def component(**kinds: str) -> Any:
    """A component with an input and an output of each type, by their names."""
    declared = {
        name: {"parameterType": kind.removesuffix("?"), "isOptional": "?" in kind} for name, kind in kinds.items()
    }
    outputs = {name: {"parameterType": each["parameterType"]} for name, each in declared.items()}
    spec = {"inputDefinitions": {"parameters": declared}, "outputDefinitions": {"parameters": outputs}}
    return json_format.ParseDict(spec, pipeline_spec_pb2.ComponentSpec())


def task(**inputs: Any) -> Any:
    return json_format.ParseDict({"inputs": {"parameters": inputs}}, pipeline_spec_pb2.PipelineTaskSpec())


def test_what_stands_for_the_run_and_the_task_is_filled_in() -> None:
    words = [
        *("pipeline_job_name", "pipeline_job_uuid", "pipeline_job_create_time_utc", "pipeline_job_schedule_time_utc"),
        *("pipeline_job_resource_name", "pipeline_task_name", "pipeline_task_uuid"),
    ]
    given = {word: {"runtimeValue": {"constant": f"{{{{$.{word}}}}}"}} for word in words}
    plain = task(
        **given, other={"runtimeValue": {"constant": "{{$.Values.name}} {{$}}"}},
        number={"runtimeValue": {"constant": 3}},
        longer={"runtimeValue": {"constant": "{{$.pipeline_job_create_time_utc}} {{$.pipeline_job_resource_name}}"}},
        inside={"runtimeValue": {"constant": {"{{$.pipeline_task_name}}": [1, None, ["of {{$.pipeline_job_uuid}}"]]}}},
    )  # fmt: skip
    filled = parameters.filled_in(plain, parameters.constants(JOB, ("inner", "train")))
    seen = {
        name: each["runtimeValue"]["constant"]
        for name, each in json_format.MessageToDict(filled.inputs)["parameters"].items()
    }
    assert seen == {
        "pipeline_job_name": "my run", "pipeline_job_resource_name": "my run", "pipeline_job_uuid": RUN,
        "pipeline_job_create_time_utc": "2026-01-02T03:04:05Z",
        "pipeline_job_schedule_time_utc": "2026-01-02T03:00:00Z",
        "pipeline_task_name": "train", "pipeline_task_uuid": nesting.task_id(RUN, "inner/train"),
        "other": "{{$.Values.name}} {{$}}", "number": 3.0, "longer": "2026-01-02T03:04:05Z my run",
        "inside": {"train": [1.0, None, [f"of {RUN}"]]},
    }  # fmt: skip
    assert plain.inputs.parameters["pipeline_job_uuid"].runtime_value.constant.string_value == "{{$.pipeline_job_uuid}}"


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("a", "a"), (3, "3"), (0.1, "0.1"), (1e-7, "0.0000001"), (1e21, "1000000000000000000000"), (2.0, "2"),
        (True, "true"), ([1, "é"], '[1,"é"]'), ({"b": None, "a": 0.5}, '{"a":0.5,"b":null}'),
    ],
)  # fmt: skip
def test_a_text_input_gets_text(given: Any, text: str) -> None:
    assert parameters.typed(component(lr="STRING"), {"lr": given, "of-the-loop": 1}) == {"lr": text, "of-the-loop": 1}


@pytest.mark.parametrize(
    ("given", "written", "in_a_command"),
    [
        ("a", "a", "a"), (3, "3", "3"), (True, "true", "true"), (0.1, "0.1", "0.1"), (-0.25, "-0.25", "-0.25"),
        (1e-4, "0.0001", "0.0001"), (1e-7, "0.0000001", "1e-07"), (1.25e-5, "0.0000125", "1.25e-05"),
        (123456.5, "123456.5", "123456.5"), (1234567.5, "1234567.5", "1.2345675e+06"),
        (1e21, "1000000000000000000000", "1000000000000000000000"),
        ([1, "é"], '[1,"é"]', '[1,"é"]'), ({"b": None, "a": 0.5}, '{"a":0.5,"b":null}', '{"a":0.5,"b":null}'),
    ],
)  # fmt: skip
def test_a_value_inside_of_a_longer_text(given: Any, written: str, in_a_command: str) -> None:
    channel = "{{$.inputs.parameters['pipelinechannel--x-Output']}}"
    others = {"pipelinechannel--x-Output": given}
    assert placeholders.together(f"<{channel}>", others) == f"<{written}>"
    assert placeholders.together([f"{channel}!", 1], others) == [f"{written}!", 1]
    step = {"inputs": {"parameterValues": {"x": given}}, "outputs": {"parameters": {"y": {"outputFile": "/y"}}}}
    one, file = "{{$.inputs.parameters['x']}}", "{{$.outputs.parameters['y'].output_file}}"
    assert placeholders.filled(f"<{one}>", step, {}) == f"<{in_a_command}>"
    assert placeholders.filled(f"{one} {file}", step, {}) == f"{written} /y"


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("NUMBER_INTEGER", [1, 0.5], ["1", True, [1]]),
        ("NUMBER_DOUBLE", [1, 0.5], ["1", False]),
        ("BOOLEAN", [True], [1, "true"]),
        ("LIST", [[1]], ['["a"]', {}]),
        ("STRUCT", [{}], ["{}", []]),
        ("TASK_FINAL_STATUS", [{"state": "FAILED"}], []),
    ],
)
def test_an_input_of_another_type_is_refused(kind: str, good: list[Any], bad: list[Any]) -> None:
    it = component(it=f"{kind}?")
    for value in (*good, None):
        assert parameters.typed(it, {"it": value}) == {"it": value}
    for value in bad:
        with pytest.raises(ValueError, match=f"the input it is of type {kind}"):
            parameters.typed(it, {"it": value})


def test_an_input_that_is_not_optional_needs_a_value() -> None:
    taken = task(text={"componentInputParameter": "pipelinechannel--mode"}).inputs
    parameters.need_values(taken, component(text="STRING?"), {"pipelinechannel--mode": None}.get)
    parameters.need_values(taken, component(text="STRING"), {"pipelinechannel--mode": ""}.get)
    with pytest.raises(ValueError, match="the input text needs a value, and the pipeline's mode was given none"):
        parameters.need_values(taken, component(text="STRING"), {"pipelinechannel--mode": None}.get)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("STRING", " a\r\nb\n", " a\r\nb\n"), ("NUMBER_INTEGER", "+3\n", 3), ("NUMBER_INTEGER", "-7", -7),
        ("NUMBER_DOUBLE", ".5", 0.5), ("NUMBER_DOUBLE", "1e3", 1000.0), ("BOOLEAN", "1", True),
        ("BOOLEAN", "False\n", False), ("BOOLEAN", "T", True), ("LIST", "[1]", [1]), ("STRUCT", '{"a": 1}', {"a": 1}),
    ],
)  # fmt: skip
def test_the_file_of_an_output_is_read_by_its_type(kind: str, text: str, value: Any) -> None:
    seen = parameters.read("it", component(it=kind).output_definitions.parameters["it"], text)
    assert (seen, type(seen)) == (value, type(value))


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("NUMBER_INTEGER", "3.7"), ("NUMBER_INTEGER", ""), ("NUMBER_INTEGER", "1_000"), ("NUMBER_DOUBLE", "nan"),
        ("NUMBER_DOUBLE", "1_0"), ("BOOLEAN", "yes"), ("BOOLEAN", "tRUE"), ("LIST", '{"a": 1}'), ("STRUCT", "[]"),
        ("LIST", "[1"),
    ],
)  # fmt: skip
def test_what_is_not_of_the_outputs_type_is_no_output(kind: str, text: str) -> None:
    with pytest.raises(ValueError, match=f"the output it is of type {kind}"):
        parameters.read("it", component(it=kind).output_definitions.parameters["it"], text)


def test_retries_of_a_nested_pipeline_are_those_of_what_is_inside() -> None:
    def dag(**tasks: Any) -> dict[str, Any]:
        return {
            "dag": {"tasks": {name: {"componentRef": {"name": each[0]}, **each[1]} for name, each in tasks.items()}}
        }

    three, one = {"retryPolicy": {"maxRetryCount": 3}}, {"retryPolicy": {"maxRetryCount": 1}}
    spec = json_format.ParseDict(
        {
            "root": dag(nested=("inner", three), step=("say", {})),
            "components": {"inner": dag(own=("say", one), branch=("if", {})), "if": dag(deep=("say", {})),
                           "say": {"executorLabel": "e"}},
        },
        pipeline_spec_pb2.PipelineSpec(),
    )  # fmt: skip
    corrections.inherit_retries(spec)
    inner, branch = (spec.components[name].dag.tasks for name in ("inner", "if"))
    assert inner["own"].retry_policy.max_retry_count == 1
    assert branch["deep"].retry_policy.max_retry_count == 3
    assert not spec.root.dag.tasks["step"].HasField("retry_policy")


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("[[RunUUID]]/model", f"{RUN}/model"),
        ("[[CurrentTime]]", "20260102030405"),
        ("[[ScheduledTime]]", "20260102030000"),
        ("day [[ScheduledTime.2006-01-02]] at [[CurrentTime.15:04:05]]", "day 2026-01-02 at 03:04:05"),
        ("[[CurrentTime.Mon, 2 Jan 06 3:4 PM MST]]", "Fri, 2 Jan 26 3:4 AM UTC"),
        ("{{$.scheduledTime.strftime('%Y-%m-%d %s')}}", "2026-01-02 1767322800"),
        ("[[Index]] [[RunUUID [[x]] {{$.Values.name}} [1]", "[[Index]] [[RunUUID [[x]] {{$.Values.name}} [1]"),
    ],
)
def test_what_stands_in_a_runs_parameters_for_its_id_and_times(text: str, filled: str) -> None:
    given = {"day": text, "rows": [text], "count": 3}
    assert macros.filled(given, JOB) == {"day": filled, "rows": [text], "count": 3}
