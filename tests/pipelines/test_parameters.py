"""What steps get as inputs, in real runs: the run's own names and times, text where a text is asked for; what they have
to write, and what is shown of it; and which tasks run again."""

# No `from __future__ import annotations`: the SDK reads the annotations of components as objects.
# ruff: noqa: B006, UP006, UP035, UP045
import datetime
from typing import Any, Dict, List, NamedTuple, Optional

import pytest
from kfp import components, dsl

from tests.conformance import pipelines
from tests.pipelines.conftest import Make
from tests.pipelines.engine import Engine
from tests.pipelines.test_bounds import used
from tests.pipelines.test_pages import page, peak
from tests.pipelines.test_robust import start


@dsl.pipeline(name="tagged")
def tagged(day: str):
    pipelines.say(text=dsl.PIPELINE_JOB_ID_PLACEHOLDER)
    pipelines.say(text=dsl.PIPELINE_JOB_NAME_PLACEHOLDER)
    pipelines.say(text=dsl.PIPELINE_JOB_RESOURCE_NAME_PLACEHOLDER)
    pipelines.say(text=dsl.PIPELINE_JOB_CREATE_TIME_UTC_PLACEHOLDER)
    pipelines.say(text=dsl.PIPELINE_JOB_SCHEDULE_TIME_UTC_PLACEHOLDER)
    pipelines.say(text=dsl.PIPELINE_TASK_NAME_PLACEHOLDER)
    pipelines.say(text=dsl.PIPELINE_TASK_ID_PLACEHOLDER)
    pipelines.say(text="{{$.x}} {{$.Values.name}}")
    pipelines.say(text=day)
    pipelines.say(
        text=f"{dsl.PIPELINE_JOB_CREATE_TIME_UTC_PLACEHOLDER} {dsl.PIPELINE_JOB_SCHEDULE_TIME_UTC_PLACEHOLDER} "
        f"{dsl.PIPELINE_JOB_RESOURCE_NAME_PLACEHOLDER} {dsl.PIPELINE_TASK_NAME_PLACEHOLDER}"
    )


@dsl.pipeline(name="grid")
def grid(points: List[Dict] = [{"lr": 0.1}, {"rate": 2}]):
    with dsl.ParallelFor(points) as point:
        pipelines.say(text=point.lr)


@dsl.pipeline(name="mode")
def mode(word: Optional[str] = None):
    pipelines.say(text=word)
    with dsl.If(word == "a"):
        pipelines.say(text="branch")


@pipelines.component
def kinds(
    integer: Optional[int] = None, number: Optional[float] = None, right: Optional[bool] = None,
    text: Optional[str] = None, items: Optional[List] = None, facts: Optional[Dict] = None,
) -> str:  # fmt: skip
    return str([integer, number, right, text, items, facts])


older = components.load_component_from_text(f"""
name: older
inputs: [{{name: count, type: Integer, optional: true}}]
outputs: [{{name: said, type: String}}]
implementation:
  container:
    image: {pipelines.IMAGE}
    command: [sh, -c, 'mkdir -p "$(dirname "$0")" && printf "%s" "$*" >"$0"', {{outputPath: said}}]
    args: [{{if: {{cond: {{isPresent: count}}, then: [--count, {{inputValue: count}}], else: [none]}}}}]
""")


@dsl.pipeline(name="optional")
def optional(count: Optional[int] = None):
    kinds()
    kinds(integer=count)
    kinds(integer=0)
    older()
    older(count=3)


@dsl.container_component
def forgets(said: dsl.OutputPath(str)):
    return dsl.ContainerSpec(image=pipelines.IMAGE, command=["sh", "-c", "true"], args=[said])


@dsl.pipeline(name="forgetful")
def forgetful():
    forgets().set_retry(num_retries=1)


@dsl.pipeline(name="deep")
def deep():
    pipelines.fail()


@dsl.pipeline(name="tries")
def tries():
    deep().set_retry(num_retries=2)


@dsl.pipeline(name="cleaning")
def cleaning():
    with dsl.ExitHandler(pipelines.say(text="cleaned")):
        pipelines.fail()


@pipelines.component
def told(text: str = "nothing", count: int = 7, data: dsl.Input[dsl.Dataset] = None) -> str:
    return f"{text} {count} {data and data.uri}"


@dsl.component(base_image=pipelines.IMAGE, install_kfp_package=False)
def breaks(data: dsl.Output[dsl.Dataset], much: bool = True) -> NamedTuple("Both", [("text", str), ("count", int)]):
    if much:
        raise ValueError("as it was told")
    return "done", 3


@dsl.pipeline(name="inner")
def inner(text: str = "inner"):
    pipelines.say(text=text)


@dsl.pipeline(name="ignoring")
def ignoring(much: bool):
    made = breaks(much=much)
    one, data = made.outputs["text"], made.outputs["data"]
    told(text=one, count=made.outputs["count"], data=data).ignore_upstream_failure()
    told(text=f"it has {one}", count=1, data=data).ignore_upstream_failure()  # the SDK wants all inputs for that
    inner(text=one).ignore_upstream_failure()


LIKE_PLACEHOLDERS = (
    "{{$}} {{$.inputs.parameters[\"text\"]}} {{$.inputs.parameters['text']}} {{$.outputs.output_file}} /kfp-workspace "
    '{"Concat": ["a"]} "quoted" \\n'
)


@pipelines.component
def small() -> NamedTuple("Small", [("number", float), ("items", list)]):  # the SDK finds no List[int] in a text
    return 1e-07, [1, 2]


@dsl.pipeline(name="numbers-in-texts")
def numbers_in_texts(rate: float):
    made = small()
    pipelines.say(text=f"{made.outputs['number']} {made.outputs['items']} {rate}")


@pipelines.component
def joined(items: List[str], facts: Dict[str, str]) -> str:
    return "|".join([*items, *facts, *facts.values()])


@dsl.container_component
def printed(text: str, said: dsl.OutputPath(str)):
    return dsl.ContainerSpec(
        image=pipelines.IMAGE,
        command=["sh", "-c", 'mkdir -p "$(dirname "$1")" && printf "%s" "$0 $TOLD" >"$1"'],
        args=[dsl.ConcatPlaceholder(["<", text, ">"]), said],
    )


@dsl.pipeline(name="inside")
def inside(text: str):
    pipelines.say(text=text)


@dsl.pipeline(name="data-alone")
def data_alone(text: str, texts: List[str]):
    pipelines.say(text=text)
    one = pipelines.say(text=LIKE_PLACEHOLDERS)
    pipelines.say(text=f"{one.output}, {text}")
    joined(items=[one.output, f"<{text}>", "2"], facts={"key": one.output})
    printed(text=text)
    inside(text=f"{one.output}!")
    with dsl.ParallelFor(texts) as item:
        pipelines.say(text=item)
    dsl.importer(
        artifact_uri="minio://elsewhere/data", artifact_class=dsl.Dataset, metadata={"of": text, "at": "/kfp-workspace"}
    )


@pipelines.component
def numbers_up_to(count: int) -> List[int]:
    return list(range(count))


@dsl.pipeline(name="long-list")
def long_lists() -> List[int]:
    pipelines.total(numbers=numbers_up_to(count=10_000).output)  # as long as a program's argument may be
    return numbers_up_to(count=200_000).output


def outputs(engine: Engine, run: str) -> dict[str, Any]:
    return {path: each["output_parameters"].get("Output") for path, each in engine.tasks(run).items()}


def test_steps_get_what_the_sdks_placeholders_and_the_parameters_stand_for(engine: Engine) -> None:
    for _ in range(2):  # the second is not the first one from the cache
        run = start(engine, tagged, cache=True, day="[[CurrentTime.2006]] [[RunUUID]]")
        assert engine.ended(run)["state"] == "SUCCEEDED", engine.api(f"runs/{run}").get("error")
        seen, tasks = outputs(engine, run), engine.tasks(run)
        told = engine.api(f"runs/{run}")
        created, scheduled = (f"{told[key][:19]}Z" for key in ("created_at", "scheduled_at"))
        assert seen == {
            "say": run, "say-2": told["display_name"], "say-3": told["display_name"], "say-4": created,
            "say-5": scheduled, "say-6": "say-6", "say-7": tasks["say-7"]["task_id"],
            "say-8": "{{$.x}} {{$.Values.name}}", "say-9": f"{datetime.datetime.now(datetime.UTC).year} {run}",
            "say-10": f"{created} {scheduled} {told['display_name']} say-10",
        }  # fmt: skip
        assert tasks["say"]["input_parameters"] == {"text": run} and not tasks["say"]["cached"]
    assert tasks["say-8"]["cached"]
    assert told["runtime_config"]["parameters"] == {"day": "[[CurrentTime.2006]] [[RunUUID]]"}


def test_a_field_of_a_loops_item_is_text_where_that_is_asked_for_and_has_to_be_there(engine: Engine) -> None:
    run = start(engine, grid)
    assert engine.ended(run)["state"] == "FAILED"
    first, second = (engine.tasks(run)[f"for-loop-1-iteration-{number}/say"] for number in (0, 1))
    assert (first["state"], first["output_parameters"]) == ("SUCCEEDED", {"Output": "0.1"})
    assert second["state"] == "FAILED" and "the loop's item has no lr: {'rate': 2}" in second["error"]["message"]


def test_what_needs_a_value_that_was_not_given_fails(engine: Engine) -> None:
    run = start(engine, mode)
    assert engine.ended(run)["state"] == "FAILED"
    tasks = engine.tasks(run)
    for name, taken in (("say", "text"), ("condition-1", "word")):
        assert tasks[name]["state"] == "FAILED"
        assert (
            f"the input {taken} needs a value, and the pipeline's word was given none"
            in tasks[name]["error"]["message"]
        )


def test_an_optional_input_that_is_not_given_is_not_there(engine: Engine) -> None:
    run = start(engine, optional)
    assert engine.ended(run)["state"] == "SUCCEEDED", engine.api(f"runs/{run}").get("error")
    nothing, tasks = str([None] * 6), engine.tasks(run)
    seen = [tasks[name]["output_parameters"]["Output"] for name in ("kinds", "kinds-2", "kinds-3")]
    assert seen == [nothing, nothing, nothing.replace("None", "0", 1)]
    assert [tasks[name]["output_parameters"]["said"] for name in ("older", "older-2")] == ["none", "--count 3"]


def test_what_a_value_says_is_data(engine: Engine) -> None:
    short = LIKE_PLACEHOLDERS
    like = f"{{{{$.pipeline_job_name}}}} {{{{$.workspace_path}}}} {short}"
    run = start(engine, data_alone, text=like, texts=[like])
    assert engine.ended(run)["state"] == "SUCCEEDED", engine.api(f"runs/{run}").get("error")
    seen = outputs(engine, run)
    steps = ("say", "say-2", "say-3", "joined", "inside/say", "for-loop-1-iteration-0/say-4")
    assert [seen[name] for name in steps] == [
        like, short, f"{short}, {like}", "|".join([short, f"<{like}>", "2", "key", short]), f"{short}!", like,
    ]  # fmt: skip
    tasks = engine.tasks(run)
    assert tasks["printed"]["output_parameters"] == {"said": f"<{like}> "}
    assert tasks["say-3"]["input_parameters"]["text"] == f"{short}, {like}"
    (imported,) = (
        each for each in engine.api(f"runs/{run}/artifacts")["artifacts"] if each["uri"] == "minio://elsewhere/data"
    )
    assert imported["metadata"] == {"of": like, "at": "/kfp-workspace"}


def test_numbers_and_lists_in_a_longer_text_are_written_as_kubeflow_does(engine: Engine) -> None:
    run = start(engine, numbers_in_texts, rate=2.0)
    assert engine.ended(run)["state"] == "SUCCEEDED", engine.api(f"runs/{run}").get("error")
    assert outputs(engine, run)["say"] == "0.0000001 [1,2] 2"


@pytest.mark.parametrize("much", [True, False])
def test_what_ignores_a_failure_gets_its_defaults(engine: Engine, much: bool) -> None:
    run = start(engine, ignoring, much=much)
    assert engine.ended(run)["state"] == ("FAILED" if much else "SUCCEEDED")
    tasks = engine.tasks(run)
    seen = [tasks[name]["output_parameters"].get("Output") for name in ("told", "told-2", "inner/say")]
    if much:
        assert seen == ["nothing 7 None", "nothing 1 None", "inner"]
        assert [tasks[name]["state"] for name in ("breaks", "told", "told-2", "inner")] == ["FAILED"] + 3 * [
            "SUCCEEDED"
        ]
    else:
        assert seen[0].startswith("done 3 ") and seen[0].endswith("/data")
        assert seen[1] == seen[0].replace("done 3", "it has done 1") and seen[2] == "done"


def test_a_step_that_has_not_written_an_output_has_failed_and_is_tried_again(engine: Engine) -> None:
    run = start(engine, forgetful)
    assert engine.ended(run)["state"] == "FAILED"
    task = engine.tasks(run)["forgets"]
    assert "has not written its output said: there is no file /" in task["error"]["message"]
    assert len(task["executor_detail"]["failed_main_jobs"]) == 1


def test_what_is_in_a_nested_pipeline_is_tried_as_often_as_that(engine: Engine) -> None:
    run = start(engine, tries)
    assert engine.ended(run)["state"] == "FAILED"
    assert len(engine.tasks(run)["deep/fail"]["executor_detail"]["failed_main_jobs"]) == 2


def test_an_exit_task_runs_again_with_a_retried_run(make: Make) -> None:
    engine = make()
    run = start(engine, cleaning)
    for tried in (1, 2):
        assert engine.ended(run)["state"] == "FAILED"
        assert len([name for name in engine.starts if f"run-{run[:8]}-say" in name]) == tried
        if tried == 1:
            engine.api(f"runs/{run}:retry", {})


def test_of_a_large_value_the_beginning_is_shown(make: Make) -> None:
    engine = make()
    run = start(engine, long_lists)
    assert engine.ended(run)["state"] == "SUCCEEDED"
    tasks, ends = engine.tasks(run), (" ... (58,890 characters)", " ... (1,488,890 characters)")
    taken, made = tasks["total"]["input_parameters"]["numbers"], tasks["numbers-up-to-2"]["output_parameters"]["Output"]
    for seen, end in zip((taken, made), ends, strict=True):
        assert seen.startswith("[0, 1, 2, 3") and seen.endswith(end) and len(seen) < 5000
    assert tasks["total"]["output_parameters"] == {"Output": 49_995_000}
    shown = page(engine, f"/runs/{run}?task={tasks['total']['task_id']}").text
    assert [shown.count(end) for end in ends] == [1, 1], "the step's input, and the run's output"
    # What a driver may have to be told again stays whole, and nobody else reads it.
    ((size,),) = engine.sql("select length(outputs) from tasks where run = ? and path = 'numbers-up-to-2'", run)
    assert size > 1 << 20
    before, began = peak(engine), used(engine)
    for _ in range(20):
        page(engine, f"/runs/{run}/live")
    assert peak(engine) - before < 16 << 20 and used(engine) - began < 2  # s
