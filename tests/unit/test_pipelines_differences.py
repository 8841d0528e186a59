"""The warnings of the embedded engine: what KFP's own backend would do otherwise with a run."""

# No `from __future__ import annotations`: the SDK reads the annotations of components as objects.
import time
from collections.abc import Callable
from typing import Any, List  # noqa: UP035

import pytest
from embedded import ir
from embedded.differences import empty_loop, found
from google.protobuf import json_format
from kfp import dsl

from tests.conformance import pipelines

CACHE, ONE_OF = "enable_caching=False switches", "No successful task found"


def warned(pipeline: Any, cache: bool = True, **parameters: Any) -> list[str]:
    """The warnings of a run, as the server has them when it is made."""
    document = json_format.MessageToDict(pipeline.pipeline_spec)
    if not cache:  # as the SDK's client does for enable_caching=False
        for task in document["root"]["dag"]["tasks"].values():
            task["cachingOptions"] = {}
    checked = ir.check(document)
    return found(checked["pipeline_spec"], ir.parameters(checked, parameters))


@dsl.container_component
def shell(text: str, said: dsl.OutputPath(str)):
    return dsl.ContainerSpec(image="a:1", command=["sh", "-c", 'echo $(COLOUR) "$0" >"$1"'], args=[text, said])


@dsl.pipeline(name="quiet")
def quiet(items: List[int] = [1], text: str = "a"):  # noqa: B006, UP006
    """All that is the same on both: loops with outputs, branches, an importer with a parameter's URI."""
    with dsl.ParallelFor(items) as item:
        each = pipelines.add(a=item, b=1)
    pipelines.total(numbers=dsl.Collected(each.output))
    dsl.importer(artifact_uri=text, artifact_class=dsl.Dataset)
    with dsl.If(text == "a"):
        first = pipelines.say(text="one").set_caching_options(False)
    with dsl.Else():
        second = pipelines.say(text="two").set_caching_options(False)
    pipelines.say(text=dsl.OneOf(first.output, second.output)).set_display_name("shown")
    shell(text=text)


@dsl.pipeline(name="dollars")
def dollars(text: str = "a"):
    pipelines.say(text="50 $$")
    shell(text=text).set_env_variable("COLOUR", "blue")


@dsl.pipeline(name="lists-alone")
def lists_alone(items: List[int] = []) -> List[int]:  # noqa: B006, UP006
    with dsl.ParallelFor(items) as item:
        each = pipelines.add(a=item, b=1)
    return dsl.Collected(each.output)


@dsl.pipeline(name="loop-alone")
def loop_alone(items: List[int] = []):  # noqa: B006, UP006
    with dsl.ParallelFor(items) as item:
        pipelines.add(a=item, b=1)


@dsl.pipeline(name="upstream")
def upstream():
    one, two = pipelines.say(text="one"), pipelines.say(text="two")
    last = pipelines.say(text="last").after(one, two).ignore_upstream_failure()
    pipelines.say(text="after").after(last)
    pipelines.say(text="alone").ignore_upstream_failure()


@dsl.pipeline(name="clean-up")
def clean_up():
    pipelines.defaults(number=1, text=pipelines.fail().output, items=[1]).ignore_upstream_failure()


@dsl.pipeline(name="named", pipeline_root="s3://elsewhere/runs")
def named():
    pipelines.say(text=f"run {dsl.PIPELINE_JOB_NAME_PLACEHOLDER}")
    pipelines.say(text=dsl.PIPELINE_JOB_NAME_PLACEHOLDER)


@pytest.mark.parametrize(
    ("pipeline", "words"),
    [
        (pipelines.loop_over_models, ["artifact iterator not implemented yet", "as for-loop-1 is here"]),
        (pipelines.loop_over_nothing, ["fail at total", "for-loop-1 is a loop over an empty list"]),
        (lists_alone, ["fail at the pipeline's end", "for-loop-1 is a loop over an empty list"]),
        (pipelines.importing, ["fail at importer", "from a constant or a parameter"]),
        (pipelines.nested_placeholders, ["fail at shell-optional", "non-string item in IfPresent"]),
        (pipelines.dollars_kept, ["single $ of each $$ in dollars"]),
        (dollars, ["single $ of each $$ in the arguments of say", "$(COLOUR) in shell", "its shell reads $COLOUR"]),
        (pipelines.keyed, ["would not look at the cache_key of now", "whatever its inputs are"]),
        (pipelines.one_of_models, [ONE_OF, "on model-of and model-of-2"]),
        (pipelines.exit_handler, ["give final the state COMPLETE"]),
        (
            named,
            [
                "leave {{$.pipeline_job_name}} in the arguments of say as it is",
                "pipeline_root, s3://elsewhere/runs, is not",
            ],
        ),
        (clean_up, ["not take the default of text at defaults where the task that it comes from has failed"]),
        (upstream, ["run say-3 once after each of say and say-2", "say-4 can't come after say-3", "never start say-5"]),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_what_the_backend_would_do_otherwise(pipeline: Any, words: list[str]) -> None:
    text = "\n".join(warned(pipeline))
    assert [each for each in words if each not in text] == []


def test_a_run_that_both_treat_alike_has_no_warning() -> None:
    assert warned(quiet) == []
    assert warned(loop_alone) == [], "nobody takes its outputs"
    for pipeline in (pipelines.two_steps, pipelines.loop, pipelines.nested, pipelines.nested_loops, pipelines.failing):
        assert warned(pipeline) == []


def test_a_runs_own_parameters_are_looked_at() -> None:
    assert warned(pipelines.loop_over_nothing, items=[1]) == []
    (text,) = warned(pipelines.loop, items=[])
    assert text == empty_loop("for-loop-1", ["total"])
    (text,) = warned(pipelines.two_steps, text="$$")
    assert "in the parameter text;" in text


def test_what_the_clients_switch_for_the_cache_does_not_reach() -> None:
    assert not [text for text in warned(pipelines.nested) if CACHE in text]
    (text,) = [text for text in warned(pipelines.nested, cache=False) if CACHE in text]
    assert "read-model and say may come from it" in text
    assert warned(pipelines.two_steps, cache=False) == []
    assert warned(pipelines.keyed, cache=False) == [], "a key is nothing without the cache"


def test_many_names_are_counted() -> None:
    text = empty_loop("loop", [f"t{number}" for number in range(7)])
    assert "at t0, t1, t2, t3 and 3 more," in text


def test_a_pipeline_that_no_compiler_wrote_has_no_warnings_and_no_error() -> None:
    document = json_format.MessageToDict(lists_alone.pipeline_spec)
    (loop,) = document["root"]["dag"]["tasks"].values()
    loop["parameterIterator"]["items"] = {"raw": "x"}
    (container,) = [each["container"] for each in document["deploymentSpec"]["executors"].values()]
    container["env"] = [{"value": "nameless"}]
    loop["inputs"]["parameters"]["more"] = {"taskOutputParameter": {}}
    checked = ir.check(document)
    assert found(checked["pipeline_spec"], {}) == []
    loop["parameterIterator"]["items"] = {"raw": "[" * 100_000}
    assert found(ir.check(document)["pipeline_spec"], {}) == []


def flat(tasks: int, **more: Any) -> dict[str, Any]:
    """So many tasks, each after the one before it."""
    made = {
        f"t{each}": {"componentRef": {"name": "c"}, "dependentTasks": [f"t{each - 1}"] if each else [], **more}
        for each in range(tasks)
    }
    return {"root": {"dag": {"tasks": made}}}


def loops(tasks: int) -> dict[str, Any]:
    return flat(tasks, parameterIterator={"items": {"raw": "[]"}, "itemInput": "item"})


def last_ones(tasks: int) -> dict[str, Any]:
    return flat(tasks, triggerPolicy={"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"})


def branches(depth: int) -> dict[str, Any]:
    """A OneOf of two outputs that are one, which is a OneOf again, and so on: with each level twice as many ways."""

    def level(inside: str) -> dict[str, Any]:
        both = [{"producerSubtask": "t", "outputArtifactKey": "a"}] * 2
        tasks = {"t": {"componentRef": {"name": inside}, "cachingOptions": {"enableCache": True}}}
        return {"dag": {"tasks": tasks, "outputs": {"artifacts": {"a": {"artifactSelectors": both}}}}}

    components = {f"c{each}": level(f"c{each + 1}") for each in range(depth)}
    executors = {"e": {"container": {"image": "a:1"}}}
    components[f"c{depth}"] = {"executorLabel": "e"}
    return {"root": level("c0"), "components": components, "deploymentSpec": {"executors": executors}}


@pytest.mark.parametrize("made", [flat, loops, last_ones])
def test_the_time_grows_with_the_number_of_tasks_and_no_faster(made: Callable[[int], dict[str, Any]]) -> None:
    def takes(tasks: int) -> float:
        spec, times = made(tasks), []
        for _ in range(4):
            begin = time.process_time()
            found(spec, {})
            times.append(time.process_time() - begin)
        return min(times)

    assert takes(2000) < 24 * takes(250)  # 8 times as many; the square of that is 64


@pytest.mark.parametrize("depth", [30, 3000])
def test_an_output_is_followed_once_however_many_ways_lead_to_it(depth: int) -> None:
    (text,) = [each for each in found(branches(depth), {}) if ONE_OF in each]
    assert "on t" in text
