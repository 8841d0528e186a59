"""The pipelines that an engine has to run: one for each feature.

They check themselves: a last step compares what came out with what should have, since KFP's API shows no values.
Steps stand on the engine's own image, which has the SDK, so nothing is installed while they run.
"""

# No `from __future__ import annotations`: the SDK reads the annotations of components as objects.
# ruff: noqa: PTH103, PTH118, PTH123, PTH208, UP006, UP035, UP045
import os
import time
from typing import Dict, List, NamedTuple, Optional

from kfp import dsl

IMAGE = os.environ.get("MLOPS_LAB_STEP_IMAGE", "localhost:5001/pipelines:1")
CACHE_KEY = f"conformance-{time.time_ns()}"  # no other suite's: an engine keeps its cache
component = dsl.component(base_image=IMAGE, install_kfp_package=False)


@component
def add(a: int, b: int) -> int:
    return a + b


@component
def expect(seen: str, wanted: str) -> None:
    assert seen == wanted, f"{seen!r} is not {wanted!r}"


@component
def expect_number(seen: int, wanted: int) -> None:
    assert seen == wanted, f"{seen!r} is not {wanted!r}"


@component
def expect_facts(seen: Dict[str, str], wanted: Dict[str, str]) -> None:
    assert seen == wanted, f"{seen!r} is not {wanted!r}"


@component
def say(text: str) -> str:
    print(text)
    return text


@component
def fail(times: int = 1000) -> str:
    raise ValueError("as it was told")


@component
def total(numbers: List[int]) -> int:
    return sum(numbers)


@component
def write(text: str, data: dsl.Output[dsl.Dataset], metrics: dsl.Output[dsl.Metrics]) -> None:
    with open(data.path, "w") as file:
        file.write(text)
    data.metadata["length"] = len(text)
    metrics.log_metric("length", len(text))
    metrics.log_metric("share", 0.25)


@component
def read(data: dsl.Input[dsl.Dataset]) -> str:
    with open(data.path) as file:
        text = file.read()
    assert data.metadata.get("length", len(text)) == len(text)
    return text


@component
def length(metrics: dsl.Input[dsl.Metrics]) -> int:
    return int(metrics.metadata["length"])


@component
def where(data: dsl.Input[dsl.Dataset]) -> str:
    return data.uri


@component
def write_folder(files: Dict[str, str], model: dsl.Output[dsl.Model]) -> None:
    import os

    os.makedirs(os.path.join(model.path, "deep"))
    for name, text in files.items():
        with open(os.path.join(model.path, "deep", name), "w") as file:
            file.write(text)


@component
def read_folder(model: dsl.Input[dsl.Model]) -> dict:
    import os

    folder = os.path.join(model.path, "deep")
    return {name: open(os.path.join(folder, name)).read() for name in sorted(os.listdir(folder))}


@component
def facts() -> NamedTuple("Facts", names=List[str], kind=str, ratio=float, right=bool, rows=List[Dict[str, int]]):
    return (["x", "y", "z"], "big", 0.5, True, [{"a": 1, "b": 2}, {"a": 3, "b": 4}])


@component
def model_of(kind: str, model: dsl.Output[dsl.Model]) -> None:
    with open(model.path, "w") as file:
        file.write(kind)


@component
def read_model(model: dsl.Input[dsl.Model]) -> str:
    return open(model.path).read()


@component
def read_all(models: dsl.Input[List[dsl.Model]]) -> str:
    return ",".join(open(model.path).read() for model in models)


@component
def final(status: dsl.PipelineTaskFinalStatus, kept: dsl.Output[dsl.Dataset]) -> str:
    with open(kept.path, "w") as file:
        file.write(status.state)
    return f"{status.state} {status.error_message or ''}"


@component
def join(items: List[str], word: str) -> str:
    return "+".join(items) + word


@component
def environment(names: List[str]) -> dict:
    import os

    return {name: os.environ.get(name, "") for name in names}


@component
def defaults(number: int = 3, text: Optional[str] = None, items: List[int] = [1, 2]) -> str:  # noqa: B006
    return f"{number} {text} {sum(items)}"


@component
def not_before(moment: float) -> str:
    import time

    if time.time() < moment:
        raise RuntimeError("too early")
    return "late enough"


@component
def wait(seconds: float, mark: str) -> str:
    import time

    print("waiting", mark, flush=True)
    time.sleep(seconds)
    return mark


@dsl.container_component
def shell(text: str, number: int, data: dsl.Output[dsl.Dataset], said: dsl.OutputPath(str), twice: dsl.OutputPath(int)):
    script = 'mkdir -p "$(dirname "$1")" && printf "%s" "$0" >"$1" && printf "%s" "$0" >"$2" && echo $((2 * $4)) >"$3"'
    return dsl.ContainerSpec(image=IMAGE, command=["sh", "-ec", script], args=[text, data.path, said, twice, number])


@dsl.container_component
def shell_optional(text: Optional[str] = None, said: dsl.OutputPath(str) = ""):
    return dsl.ContainerSpec(
        image=IMAGE,
        command=["sh", "-ec", 'out="$1"; shift; mkdir -p "$(dirname "$out")"; printf "%s" "$*" >"$out"', "sh", said],
        args=[
            dsl.IfPresentPlaceholder("text", then=["--text", dsl.ConcatPlaceholder(["<", text, ">"])], else_=["none"])
        ],
    )


@dsl.container_component
def dollars(said: dsl.OutputPath(str)):
    script = 'mkdir -p "$(dirname "$0")"; printf "%s" "$1" >"$0"; test "$(printf x)" = x; test $$ -gt 0'
    return dsl.ContainerSpec(image=IMAGE, command=["sh", "-ec", script], args=[said, "$(HOME) $$ $x /tmp $"])


@dsl.pipeline(name="two-steps")
def two_steps(text: str = "hello"):
    written = write(text=text)
    expect(seen=read(data=written.outputs["data"]).output, wanted=text)


@dsl.pipeline(name="metadata-alone")
def metadata_alone():
    written = write(text="hello")
    expect_number(seen=length(metrics=written.outputs["metrics"]).output, wanted=5)


@dsl.pipeline(name="numbers")
def numbers(a: int = 2, b: int = 3):
    first = add(a=a, b=b)
    second = add(a=first.output, b=10)
    expect_number(seen=second.output, wanted=15)
    expect(seen=say(text=f"{a} and {second.output}").output, wanted="2 and 15")


@dsl.pipeline(name="folder")
def folder():
    made = write_folder(files={"one": "1", "two": "22"})
    expect_facts(seen=read_folder(model=made.outputs["model"]).output, wanted={"one": "1", "two": "22"})


@dsl.pipeline(name="loop")
def loop(items: List[int] = [1, 2, 3]):  # noqa: B006
    offset = add(a=0, b=100)
    with dsl.ParallelFor(items, parallelism=2) as item:
        each = add(a=item, b=offset.output)  # another task's output beside the item
    expect_number(seen=total(numbers=dsl.Collected(each.output)).output, wanted=306)


@dsl.pipeline(name="loop-over-nothing")
def loop_over_nothing(items: List[int] = []):  # noqa: B006
    with dsl.ParallelFor(items) as item:
        each = add(a=item, b=1)
    expect_number(seen=total(numbers=dsl.Collected(each.output)).output, wanted=0)


@dsl.pipeline(name="loop-over-outputs")
def loop_over_outputs():
    seen = facts()
    with dsl.ParallelFor(seen.outputs["names"]) as name:
        said = say(text=name)
    with dsl.ParallelFor(seen.outputs["rows"]) as row:
        sums = add(a=row.a, b=row.b)
    expect(seen=join(items=dsl.Collected(said.output), word=seen.outputs["kind"]).output, wanted="x+y+zbig")
    expect_number(seen=total(numbers=dsl.Collected(sums.output)).output, wanted=10)


@dsl.pipeline(name="nested-loops")
def nested_loops():
    with dsl.ParallelFor([1, 2]) as outer:
        with dsl.ParallelFor([10, 20]) as inner:
            add(a=outer, b=inner)
        one = add(a=outer, b=outer)
    expect_number(seen=total(numbers=dsl.Collected(one.output)).output, wanted=6)


@dsl.pipeline(name="loop-models")
def loop_models():
    with dsl.ParallelFor(["a", "b"]) as kind:
        made = model_of(kind=kind)
    expect(seen=read_all(models=dsl.Collected(made.outputs["model"])).output, wanted="a,b")


@dsl.pipeline(name="models")
def models() -> List[dsl.Model]:
    with dsl.ParallelFor(["a", "b"]) as kind:
        made = model_of(kind=kind)
    return dsl.Collected(made.outputs["model"])


@dsl.pipeline(name="loop-over-models")
def loop_over_models():
    with dsl.ParallelFor(models().output) as model:
        seen = read_model(model=model)
    expect(seen=join(items=dsl.Collected(seen.output), word="").output, wanted="a+b")


@dsl.pipeline(name="conditions")
def conditions(threshold: float = 0.4, word: str = "big", wanted: str = "above"):
    seen = facts()
    with dsl.If(seen.outputs["ratio"] > threshold):
        above = say(text="above")
    with dsl.Elif(seen.outputs["kind"] == word):
        same = say(text="same")
    with dsl.Else():
        neither = say(text="neither")
    with dsl.If(seen.outputs["right"] == True):  # noqa: E712
        say(text="right").set_display_name("right")
    expect(seen=dsl.OneOf(above.output, same.output, neither.output), wanted=wanted)


@dsl.pipeline(name="one-of-models")
def one_of_models(which: str = "b"):
    with dsl.If(which == "a"):
        first = model_of(kind="a")
    with dsl.Else():
        second = model_of(kind="b")
    picked = dsl.OneOf(first.outputs["model"], second.outputs["model"])
    expect(seen=read_model(model=picked).output, wanted=which)


@dsl.pipeline(name="exit-handler")
def exit_handler(break_it: bool = False):
    with dsl.ExitHandler(final(), name="body"):
        say(text="body")
        with dsl.If(break_it == True):  # noqa: E712
            fail()


@dsl.pipeline(name="importing")
def importing(text: str = "imported"):
    kept = write(text=text)
    there = dsl.importer(
        artifact_uri=where(data=kept.outputs["data"]).output,
        artifact_class=dsl.Dataset,
        metadata={"from": "elsewhere"},
        reimport=False,
    )
    expect(seen=read(data=there.output).output, wanted=text)


@dsl.pipeline(name="inner")
def inner(model: dsl.Input[dsl.Model], text: str = "default") -> str:
    kind = read_model(model=model)
    return say(text=f"{text} {kind.output}").output


@dsl.pipeline(name="nested")
def nested(text: str = "outer"):
    made = model_of(kind="deep")
    one = inner(model=made.outputs["model"])  # its own default, not this pipeline's `text`
    two = inner(model=made.outputs["model"], text=text)
    said = say(text=f"{one.output}, {two.output}")
    expect(seen=said.output, wanted="default deep, outer deep")


@dsl.pipeline(name="retries")
def retries(moment: float):
    task = not_before(moment=moment).set_caching_options(False)
    task.set_retry(num_retries=6, backoff_duration="1s", backoff_factor=1.5)
    expect(seen=task.output, wanted="late enough")


@dsl.pipeline(name="containers")
def containers(text: str = 'it\'s "quoted"'):
    made = shell(text=text, number=21)
    expect(seen=read(data=made.outputs["data"]).output, wanted=text)
    expect(seen=made.outputs["said"], wanted=text)
    expect_number(seen=made.outputs["twice"], wanted=42)
    expect(seen=shell_optional().outputs["said"], wanted="none")


@dsl.pipeline(name="nested-placeholders")
def nested_placeholders():
    expect(seen=shell_optional(text="given").outputs["said"], wanted="--text <given>")


@dsl.pipeline(name="dollars-kept")
def dollars_kept():
    expect(seen=dollars().outputs["said"], wanted="$(HOME) $$ $x /tmp $")


@dsl.pipeline(name="resources")
def resources():
    task = environment(names=["COLOUR"])
    task.set_env_variable("COLOUR", "blue").set_cpu_request("100m").set_cpu_limit("500m").set_memory_limit("256Mi")
    expect_facts(seen=task.output, wanted={"COLOUR": "blue"})


@dsl.pipeline(name="optional-inputs")
def optional_inputs(number: Optional[int] = None, text: Optional[str] = None):
    expect(seen=defaults().output, wanted="3 None 3")


@dsl.pipeline(name="failing")
def failing():
    first = say(text="before").set_display_name("before")
    say(text="beside").after(first)
    say(text="after").after(fail())


@dsl.pipeline(name="side-by-side")
def side_by_side(seconds: float = 2.0):
    wait(seconds=seconds, mark="one")
    wait(seconds=seconds, mark="two")


@component
def now(mark: str) -> float:
    import time

    return time.time()


@component
def expect_later(moment: float, begun: float, later: bool) -> None:
    assert (moment > begun) == later, f"{moment} {begun}"


@dsl.pipeline(name="stamp")
def stamp(mark: str) -> float:
    return now(mark=mark).output


@dsl.pipeline(name="stamped")
def stamped(mark: str, begun: float, fresh: bool):
    """Is what a nested pipeline's step gives fresh, or from the cache?"""
    expect_later(moment=stamp(mark=mark).output, begun=begun, later=fresh)


@dsl.pipeline(name="keyed")
def keyed(mark: str = "", begun: float = 0.0, fresh: bool = True):
    """Is what a step gives fresh that has a cache key of its own, or from the cache?"""
    made = now(mark=mark).set_caching_options(True, cache_key=CACHE_KEY)
    expect_later(moment=made.output, begun=begun, later=fresh)


@dsl.pipeline(name="slow")
def slow(seconds: float = 30.0, cached: str = ""):
    first = wait(seconds=seconds, mark=cached)
    wait(seconds=seconds, mark=f"{cached} again").after(first)


@dsl.pipeline(name="missing-image")
def missing_image():
    say(text="never").set_container_image("localhost:5001/no-such-image:1")


@dsl.pipeline(name="too-large")
def too_large():
    say(text="never").set_cpu_request("1000").set_cpu_limit("1000")
