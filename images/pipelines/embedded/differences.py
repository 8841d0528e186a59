"""What Kubeflow Pipelines' own backend would do otherwise with a run that this engine takes: sentences for its user.

Each rule reads a pipeline's specification alone and yields what was seen on version 2.17.0, or, where the rule says so,
what its source says. They are looked at once, when a run is made; what only shows while it runs, its driver adds.
docs/pipelines.md has them all, with what is no warning since this engine behaves in the same way.
"""

from __future__ import annotations

import json
import re
import traceback
from collections.abc import Iterator
from typing import Any

BACKEND = "Kubeflow Pipelines 2.17"
_SUBTASK = re.compile(r'"producerSubtask": "([^"]*)"')
_PLACEHOLDER = re.compile(r"\{\{\$\.pipeline_(?:job|task)_[a-z_]+\}\}")
_VARIABLE = re.compile(r"\$\(([A-Za-z_][A-Za-z0-9_]*)\)")


def found(spec: dict[str, Any], parameters: dict[str, Any]) -> list[str]:
    """The warnings of one run.

    Args:
        spec: the pipeline's specification, as `ir.check` gives it.
        parameters: of the run; what is not among them has its default.
    """
    sentences: list[str] = []
    for rule in RULES:
        try:
            sentences += rule(spec, parameters)
        except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
            # No compiler wrote this pipeline. Its run will fail with what is wrong; advice is not what stops it.
            traceback.print_exc()
    return sentences


def empty_loop(loop: str, takers: list[str]) -> str:
    """The warning for a loop over nothing whose outputs others take."""
    return (
        f"{BACKEND} would fail at {_names(takers)}, with 'not in tasks': {loop} is a loop over an empty list, which "
        "has no outputs to collect there. Here a step gets an empty list of parameters, and None for one of artifacts"
    )


def _artifact_loops(spec: dict[str, Any], parameters: dict[str, Any]) -> Iterator[str]:
    loops = [name for _, tasks, _ in _dags(spec) for name, task in tasks.items() if "artifactIterator" in task]
    if loops:
        yield (
            f"{BACKEND} would refuse this pipeline, with 'artifact iterator not implemented yet': it has no loops over "
            f"artifacts, as {_names(loops)} is here; loop over a parameter that says which, and read it in the step"
        )


def _empty_loops(spec: dict[str, Any], parameters: dict[str, Any]) -> Iterator[str]:
    declared = spec["root"].get("inputDefinitions", {}).get("parameters", {})
    for where, tasks, outputs in _dags(spec):
        after, ends = _takers(tasks), set(_SUBTASK.findall(json.dumps(outputs)))
        for name, task in tasks.items():
            items = task.get("parameterIterator", {}).get("items", {})
            given = task.get("inputs", {}).get("parameters", {}).get(items.get("inputParameter"), {})
            source = given.get("componentInputParameter")
            value = json.loads(items.get("raw") or "null")
            if where == "root" and source:
                value = parameters.get(source, declared.get(source, {}).get("defaultValue"))
            takers = [*after.get(name, ()), *(["the pipeline's end"] if name in ends else [])]
            if value == [] and takers:
                yield empty_loop(name, takers)


def _importers(spec: dict[str, Any], parameters: dict[str, Any]) -> Iterator[str]:
    for _, tasks, _ in _dags(spec):
        for name, task in tasks.items():
            uri = _executor(spec, task).get("importer", {}).get("artifactUri", {}).get("runtimeParameter")
            if "taskOutputParameter" in task.get("inputs", {}).get("parameters", {}).get(uri, {}):
                yield (
                    f"{BACKEND} would fail at {name}, with 'parent DAG does not have input parameter': an importer "
                    "takes its artifact_uri from a constant or a parameter of the pipeline, not from a task's output"
                )


def _nested_placeholders(spec: dict[str, Any], parameters: dict[str, Any]) -> Iterator[str]:
    for name, container in _containers(spec):
        if any(_holds_concat(word) for word in (*container.get("command", ()), *container.get("args", ()))):
            yield (
                f"{BACKEND} would fail at {name}, with 'non-string item in IfPresent Then/Else array', where that side "
                "is taken: a ConcatPlaceholder inside of an IfPresentPlaceholder is not supported there"
            )


def _dollars(spec: dict[str, Any], parameters: dict[str, Any]) -> Iterator[str]:
    texts = {name: json.dumps(container) for name, container in _containers(spec)}
    for _, tasks, _ in _dags(spec):
        for name, task in tasks.items():
            texts[f"the arguments of {name}"] = json.dumps(
                [each.get("runtimeValue") for each in _inputs(task).values()]
            )
    for name, value in parameters.items():
        texts[f"the parameter {name}"] = json.dumps(value)
    if places := [place for place, text in texts.items() if "$$" in text]:
        yield f"{BACKEND} would make a single $ of each $$ in {_names(places)}; here a step gets what was written"
    for name, container in _containers(spec):
        known = {each["name"] for each in container.get("env", ())}
        if filled := sorted(known.intersection(_VARIABLE.findall(texts[name]))):
            yield (
                f"{BACKEND} would put a variable's value in place of {_names([f'$({each})' for each in filled])} in "
                f"{name}; here a step gets what was written, and its shell reads ${filled[0]}"
            )


def _longer_texts(spec: dict[str, Any], parameters: dict[str, Any]) -> Iterator[str]:
    """Read in the source: driver/resolve.go compares an input's whole text with each placeholder."""
    inside, places = [], []
    for _, tasks, _ in _dags(spec):
        for name, task in tasks.items():
            for given in _inputs(task).values():
                text = given.get("runtimeValue", {}).get("constant")
                known = _PLACEHOLDER.findall(text) if isinstance(text, str) else []
                if known and known != [text]:
                    inside += known
                    places.append(name)
    if inside:
        yield (
            f"{BACKEND} would leave {_names(inside)} in the arguments of {_names(places)} as it is, since it is part "
            "of a longer text; here it is filled in. Give it as an input of its own, and put the text together in the "
            "step"
        )


def _pipeline_root(spec: dict[str, Any], parameters: dict[str, Any]) -> Iterator[str]:
    """Read in the source: nothing of the backend reads it; its page for a new run proposes it."""
    if root := spec.get("defaultPipelineRoot"):
        yield (
            f"the pipeline's pipeline_root, {root}, is not looked at: this server keeps all artifacts itself. "
            f"{BACKEND} would keep them there only where the run is given it, as its page for a new run does"
        )


def _caching(spec: dict[str, Any], parameters: dict[str, Any]) -> Iterator[str]:
    root = [task for task in spec["root"]["dag"]["tasks"].values() if _executor(spec, task).get("container")]
    if not root or any(_cached(task) for task in root):
        return
    inside = [
        name
        for where, tasks, _ in _dags(spec)
        for name, task in tasks.items()
        if where != "root" and _cached(task) and _executor(spec, task).get("container")
    ]
    if inside:
        yield (
            f"enable_caching=False switches the cache off for the outermost tasks alone, here as on {BACKEND}: "
            f"{_names(inside)} may come from it. set_caching_options(False) on each switches it off"
        )


def _cache_keys(spec: dict[str, Any], parameters: dict[str, Any]) -> Iterator[str]:
    keyed = [
        name
        for _, tasks, _ in _dags(spec)
        for name, task in tasks.items()
        if _cached(task) and task["cachingOptions"].get("cacheKey")
    ]
    if keyed:
        yield (
            f"{BACKEND} would not look at the cache_key of {_names(keyed)}: its own key changes with a step's inputs, "
            "image and command. Here a step with that key comes from the cache whatever its inputs are, as the SDK says"
        )


def _one_of(spec: dict[str, Any], parameters: dict[str, Any]) -> Iterator[str]:
    cached: list[str] = []
    seen: set[tuple[Any, ...]] = set()
    for where, tasks, outputs in _dags(spec):
        for each in outputs.get("parameters", {}).values():
            for chosen in each.get("valueFromOneof", {}).get("parameterSelectors", ()):
                cached += _cached_sources(spec, where, tasks, chosen, seen)
        for each in outputs.get("artifacts", {}).values():
            candidates = each.get("artifactSelectors", ())
            for chosen in candidates if len(candidates) > 1 else ():
                cached += _cached_sources(spec, where, tasks, chosen, seen)
    if cached:
        yield (
            f"{BACKEND} would fail, with 'No successful task found', where a dsl.OneOf takes the output of a branch "
            f"whose task came from the cache: set_caching_options(False) on {_names(cached)}"
        )


def _final_tasks(spec: dict[str, Any], parameters: dict[str, Any]) -> Iterator[str]:
    """Read in the source: compiler/argocompiler/dag.go makes an exit hook of each such task."""
    for _, tasks, _ in _dags(spec):
        takers = _takers(tasks)
        for name, task in tasks.items():
            if task.get("triggerPolicy", {}).get("strategy") != "ALL_UPSTREAM_TASKS_COMPLETED":
                continue
            before, after = _producers(task), takers.get(name, [])
            if not before:
                yield f"{BACKEND} would never start {name}: ignore_upstream_failure() is for a task after others"
            if len(before) > 1:
                yield (
                    f"{BACKEND} would run {name} once after each of {_names(sorted(before))}, not once after all: it "
                    "makes an exit handler of a task with ignore_upstream_failure()"
                )
            if after:
                yield (
                    f"{BACKEND} would refuse this pipeline: {_names(after)} can't come after {name}, of which "
                    "ignore_upstream_failure() makes an exit handler"
                )


def _ignored_failures(spec: dict[str, Any], parameters: dict[str, Any]) -> Iterator[str]:
    """Read in the source: driver/resolve.go takes an output that is not there for a value, which is nil."""
    for _, tasks, _ in _dags(spec):
        for name, task in tasks.items():
            if task.get("triggerPolicy", {}).get("strategy") != "ALL_UPSTREAM_TASKS_COMPLETED":
                continue
            given = {**_inputs(task), **task.get("inputs", {}).get("artifacts", {})}
            taken = [
                key for key, each in given.items() if "taskOutputParameter" in each or "taskOutputArtifact" in each
            ]
            if taken:
                yield (
                    f"{BACKEND} would not take the default of {_names(sorted(taken))} at {name} where the task that it "
                    "comes from has failed: a parameter of type str is empty there, and with another one the step "
                    "fails. Here a step gets the default, for which ignore_upstream_failure() asks"
                )


def _final_status(spec: dict[str, Any], parameters: dict[str, Any]) -> Iterator[str]:
    """Read in the source: driver/resolve.go takes ML Metadata's state, and leaves out the error."""
    told = [
        name
        for _, tasks, _ in _dags(spec)
        for name, task in tasks.items()
        if any("taskFinalStatus" in each for each in _inputs(task).values())
    ]
    if told:
        yield (
            f"{BACKEND} would give {_names(told)} the state COMPLETE in place of SUCCEEDED, and no error's message: "
            "compare PipelineTaskFinalStatus.state with FAILED alone"
        )


RULES = (
    *(_artifact_loops, _empty_loops, _importers, _nested_placeholders, _dollars, _one_of, _caching),
    *(_longer_texts, _pipeline_root, _cache_keys, _final_tasks, _ignored_failures, _final_status),
)


def _dags(spec: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Each DAG: its component's name, its tasks, and where its outputs come from."""
    for name, component in (("root", spec["root"]), *sorted(spec.get("components", {}).items())):
        if "dag" in component:
            tasks = dict(sorted(component["dag"].get("tasks", {}).items()))  # in an order, for the sentences' sake
            yield name, tasks, component["dag"].get("outputs", {})


def _component(spec: dict[str, Any], task: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = spec.get("components", {}).get(task["componentRef"]["name"], {})
    return found


def _executor(spec: dict[str, Any], task: dict[str, Any]) -> dict[str, Any]:
    label = _component(spec, task).get("executorLabel", "")
    found: dict[str, Any] = spec.get("deploymentSpec", {}).get("executors", {}).get(label, {})
    return found


def _containers(spec: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for label, executor in sorted(spec.get("deploymentSpec", {}).get("executors", {}).items()):
        if "container" in executor:
            yield label.removeprefix("exec-"), executor["container"]


def _inputs(task: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = task.get("inputs", {}).get("parameters", {})
    return found


def _producers(task: dict[str, Any]) -> set[str]:
    """The tasks of the same DAG that one comes after."""
    kinds = ("taskOutputParameter", "taskOutputArtifact")
    given = [*_inputs(task).values(), *task.get("inputs", {}).get("artifacts", {}).values()]
    taken = {each[kind]["producerTask"] for each in given for kind in kinds if kind in each}
    return {*task.get("dependentTasks", ()), *taken}


def _takers(tasks: dict[str, Any]) -> dict[str, list[str]]:
    """The tasks of a DAG that come after each of its tasks; looked up for all at once, as there may be thousands."""
    found: dict[str, list[str]] = {}
    for name, task in tasks.items():
        for producer in _producers(task):
            found.setdefault(producer, []).append(name)
    return found


def _cached(task: dict[str, Any]) -> bool:
    return bool(task.get("cachingOptions", {}).get("enableCache"))


def _cached_sources(
    spec: dict[str, Any], where: str, tasks: dict[str, Any], chosen: dict[str, str], seen: set[tuple[Any, ...]]
) -> Iterator[str]:
    """The steps that an output comes from and that may come from the cache.

    Args:
        where: the component whose tasks these are.
        seen: outputs that were looked at, which are not looked at again: there may be many ways to each.
    """
    left = [(where, tasks, chosen)]
    while left:
        where, tasks, chosen = left.pop()
        name = chosen["producerSubtask"]
        output = (where, name, chosen.get("outputParameterKey"), chosen.get("outputArtifactKey"))
        if output in seen:
            continue
        seen.add(output)
        task = tasks.get(name, {"componentRef": {"name": ""}})
        inside = _component(spec, task).get("dag")
        if inside is None:
            if _cached(task) and _executor(spec, task).get("container"):
                yield name
            continue
        outputs = inside.get("outputs", {})
        if key := chosen.get("outputParameterKey"):
            source = outputs.get("parameters", {}).get(key, {})
            further = [source["valueFromParameter"]] if "valueFromParameter" in source else []
        else:
            further = outputs.get("artifacts", {}).get(chosen.get("outputArtifactKey"), {}).get("artifactSelectors", [])
        left += [(task["componentRef"]["name"], inside.get("tasks", {}), one) for one in reversed(further)]


def _holds_concat(word: str) -> bool:
    try:
        given = json.loads(word)["IfPresent"] if word.lstrip().startswith('{"IfPresent"') else {}
    except (ValueError, KeyError, TypeError):
        return False
    sides = [side if isinstance(side, list) else [side] for side in (given.get("Then"), given.get("Else")) if side]
    return any(not isinstance(item, str) for side in sides for item in side)


def _names(names: list[str]) -> str:
    """Some names in a sentence."""
    known = list(dict.fromkeys(names))
    shown = known if len(known) <= 5 else [*known[:4], f"{len(known) - 4} more"]
    return " and ".join([part for part in (", ".join(shown[:-1]), shown[-1]) if part])
