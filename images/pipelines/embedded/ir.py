"""Reading pipelines: the SDK's intermediate representation (IR), checked before anything is kept or run.

Nothing here evaluates what a pipeline says; it is parsed with the SDK's own message types and looked through.
"""

from __future__ import annotations

import graphlib
import gzip
import io
import re
import tarfile
import zipfile
import zlib
from typing import Any

import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

from embedded import jsons
from embedded.errors import invalid
from embedded.kubernetes_settings import refusals

# Names of parameter types whose values are JSON of a known kind.
KINDS: dict[str, tuple[type, ...]] = {
    "NUMBER_INTEGER": (int, float),
    "NUMBER_DOUBLE": (int, float),
    "STRING": (str,),
    "BOOLEAN": (bool,),
    "LIST": (list,),
    "STRUCT": (dict,),
}
_LIMIT = 4 << 20  # bytes that a package may unpack to
_VALUES = 200_000  # in a pipeline; each takes a hundred bytes or more, whatever it takes in the file
_DEPTH = 100  # as in protocol buffers
# What YAML may take for a number, in base 60 too: the time to read one grows with the square of its length.
_NUMBER = re.compile(r"[-+]?[0-9][0-9_:.]{100,}")
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's, where it is, takes a tenth of the time
_UNREADABLE = (
    *(yaml.YAMLError, zipfile.BadZipFile, tarfile.TarError, zlib.error),
    *(ValueError, ArithmeticError, EOFError, OSError, RuntimeError),  # a date or a number that is none, a password
)


def read_package(name: str, content: bytes) -> dict[str, Any]:
    """The pipeline in an uploaded file: YAML, or a .zip or .tar.gz that holds one.

    Raises:
        ApiError: it is no pipeline.
    """
    try:
        if name.endswith(".zip"):
            with zipfile.ZipFile(io.BytesIO(content)) as package:
                chosen = _choose([each.filename for each in package.infolist() if each.file_size <= _LIMIT])
                content = package.read(chosen)
        elif name.endswith((".tar.gz", ".tgz")):
            with gzip.open(io.BytesIO(content)) as packed:
                content = packed.read(_LIMIT + 1)
            if len(content) > _LIMIT:
                raise invalid(f"the file {name!r} unpacks to more than {_LIMIT >> 20} MiB")
            with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as package:
                chosen = _choose([each.name for each in package if each.isfile() and each.size <= _LIMIT])
                content = package.extractfile(chosen).read()  # type: ignore[union-attr]
        documents = [each for each in _documents(content.decode()) if each is not None]
    except _UNREADABLE as error:
        raise invalid(f"the file {name!r} can't be read as a pipeline: {_line(error)}") from error
    if not documents or not all(isinstance(each, dict) for each in documents):
        raise invalid(f"the file {name!r} is no pipeline: it has to be what the KFP SDK's compiler writes")
    platform: dict[str, Any] = {}
    for each in documents[1:]:
        platform.update(each)
    return check({"pipeline_spec": documents[0], "platform_spec": platform})


def check(document: Any) -> dict[str, Any]:
    """A pipeline with all that must be right about it before a run can be made.

    Args:
        document: IR alone, or a mapping with `pipeline_spec` and `platform_spec`, as the SDK sends them.

    Raises:
        ApiError: it is no IR, or it asks for what this engine does not do; the message names what.
    """
    if not isinstance(document, dict) or not document:
        raise invalid("pipeline_spec is no pipeline: it has to be what the KFP SDK's compiler writes")
    _bounded(document)
    if not jsons.finite(document):
        raise invalid("the pipeline has a number that is not finite, such as NaN")
    if "pipeline_spec" not in document:
        document = {"pipeline_spec": document, "platform_spec": {}}
    spec, platform = document["pipeline_spec"], document.get("platform_spec") or {}
    if isinstance(spec, dict) and str(spec.get("apiVersion", "")).startswith("argoproj.io"):
        raise invalid("this is an Argo workflow (KFP SDK 1.x): compile the pipeline with SDK 2.x")
    try:
        message = json_format.ParseDict(spec, pipeline_spec_pb2.PipelineSpec())
        json_format.ParseDict(platform, pipeline_spec_pb2.PlatformSpec())
        read = json_format.MessageToDict(message)
    except (json_format.Error, TypeError, ValueError) as error:
        raise invalid(f"pipeline_spec is no pipeline: {_line(error)}") from error
    if not message.pipeline_info.name or not message.root.dag.tasks:
        raise invalid("pipeline_spec is no pipeline: it lacks pipelineInfo.name or root.dag.tasks")
    if not message.schema_version.startswith("2."):
        raise invalid(f"pipeline_spec has schemaVersion {message.schema_version!r}; this engine reads 2.x")
    wrong = [*_structure(message), *refusals(platform)]
    if wrong:
        raise invalid(f"pipeline {message.pipeline_info.name!r} can't be run here: {'; '.join(wrong)}")
    return {"pipeline_spec": read, "platform_spec": platform}


def parameters(document: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """A run's parameters, checked against what the pipeline declares; whole numbers become integers.

    Raises:
        ApiError: one is missing, not known, or of another type.
    """
    declared = document["pipeline_spec"]["root"].get("inputDefinitions", {}).get("parameters", {})
    if unknown := sorted(set(given) - set(declared)):
        known = ", ".join(sorted(declared)) or "none"
        raise invalid(f"the pipeline has no parameter {', '.join(unknown)}; it has: {known}")
    values: dict[str, Any] = {}
    for name, spec in declared.items():
        if name not in given or given[name] is None:
            if "defaultValue" not in spec and not spec.get("isOptional"):
                raise invalid(f"the parameter {name} has no default and no value was given")
            continue
        kind, value = spec.get("parameterType", ""), given[name]
        if not _fits(kind, value):
            raise invalid(f"the parameter {name} is of type {kind}; {value!r} is not")
        if not jsons.finite(value):
            raise invalid(f"the parameter {name} has a number that is not finite: {value!r}")
        values[name] = int(value) if kind == "NUMBER_INTEGER" else value
    return values


def _fits(kind: str, value: Any) -> bool:
    wanted = KINDS.get(kind)
    if wanted is None:
        return True
    if isinstance(value, bool):  # which Python takes for a number
        return bool in wanted
    if not isinstance(value, wanted):
        return False
    return not (isinstance(value, float) and kind == "NUMBER_INTEGER") or value.is_integer()


def _documents(text: str) -> list[Any]:
    """The documents in YAML, once it is known that they are about as large as the text: no aliases, which a few hundred
    bytes of can stand for millions of values; not too many values, nor too deep, nor numbers that take minutes."""
    values = depth = 0
    event: Any
    for event in yaml.parse(text, Loader=_Loader):
        where = f"line {event.start_mark.line + 1}"
        if isinstance(event, yaml.AliasEvent):
            raise invalid(f"{where}: the alias *{event.anchor} is not supported; write out what it stands for")
        values += isinstance(event, yaml.NodeEvent)
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        _within(values, depth)
        if isinstance(event, yaml.ScalarEvent) and (event.implicit[0] or event.tag) and _NUMBER.fullmatch(event.value):
            raise invalid(f"{where}: a number of {len(event.value)} characters can't be read")
    return list(yaml.load_all(text, Loader=_Loader))


def _bounded(document: Any) -> None:
    """Refuse what would take too much memory as messages."""
    values, level, depth = 0, [document], 0
    while level:
        values, depth = values + len(level), depth + 1
        _within(values, depth)
        below = [each.values() if isinstance(each, dict) else each for each in level if isinstance(each, (dict, list))]
        level = [value for each in below for value in each]


def _within(values: int, depth: int) -> None:
    if values > _VALUES:
        raise invalid(f"the pipeline has more than {_VALUES} values")
    if depth > _DEPTH:
        raise invalid(f"the pipeline is nested deeper than {_DEPTH} levels")


def _structure(message: Any) -> list[str]:
    wrong: list[str] = []
    deployment = message.deployment_spec  # a protobuf Struct, which has no `get`
    executors = deployment["executors"] if "executors" in deployment else {}  # noqa: SIM401
    dags = {"root": message.root, **message.components}
    for name, component in dags.items():
        for taken, spec in component.input_definitions.parameters.items():
            if spec.parameter_type == pipeline_spec_pb2.ParameterType.ParameterTypeEnum.TASK_CONFIG:
                wrong.append(f"component {name}: its input {taken} is a dsl.TaskConfig, which is not supported")
        if component.WhichOneof("implementation") == "executor_label":
            if component.executor_label not in executors:
                wrong.append(f"component {name} names an executor {component.executor_label!r} that is not there")
            continue
        for task, spec in component.dag.tasks.items():
            if spec.component_ref.name not in message.components:
                wrong.append(f"task {task} names a component {spec.component_ref.name!r} that is not there")
            for before in spec.dependent_tasks:
                if before not in component.dag.tasks:
                    wrong.append(f"task {task} depends on a task {before!r} that is not there")
        try:
            graphlib.TopologicalSorter(
                {task: sorted(spec.dependent_tasks) for task, spec in sorted(component.dag.tasks.items())}
            ).prepare()
        except graphlib.CycleError as error:
            wrong.append(f"tasks wait for each other: {', '.join(reversed(error.args[1]))}")
    for label, executor in executors.items():
        name = label.removeprefix("exec-")
        if "importer" in executor:
            if "downloadToWorkspace" in executor["importer"] and executor["importer"]["downloadToWorkspace"]:
                wrong.append(f"importer {name}: download_to_workspace is not supported")
        elif "container" not in executor or not executor["container"]["image"]:
            wrong.append(f"executor {name} has no container image")
        elif "command" not in executor["container"] or not list(executor["container"]["command"]):
            wrong.append(f"task {name} has no command: name it, since the image's own can't be wrapped")
        elif executor["container"]["image"].startswith("argostub/"):
            stub = executor["container"]["image"].removeprefix("argostub/")
            wrong.append(f"task {name}: {stub} is not supported; make the volume claim beforehand and mount it")
    return wrong


def _choose(names: list[str]) -> str:
    found = [name for name in names if name.endswith((".yaml", ".yml"))]
    if "pipeline.yaml" in found:
        return "pipeline.yaml"
    if len(found) != 1:
        raise invalid(
            f"the package holds {len(found)} YAML files of at most {_LIMIT >> 20} MiB; it needs one, or one named "
            "pipeline.yaml"
        )
    return found[0]


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:400]
