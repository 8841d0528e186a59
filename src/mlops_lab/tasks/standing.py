"""A task on a cluster: made as the candidate finds it, and taken away again with all that its work may have made.

`setup/outside.yaml` are objects that are not in the task's namespace, `start/seed.yaml` those that are, and
`setup/history.py` makes what there is in MLflow (see `tasks.history`), and then `setup/setup.sh` does what else no
manifest says; `setup/undo.sh` takes that back. What the candidate is to make outside of the namespace is named in
`setup/outside.txt`, one `Kind/name` a line, so that it goes when the task goes.
"""

from __future__ import annotations

from pathlib import Path

import yaml

from mlops_lab.base.errors import LabError
from mlops_lab.kube.client import Kube, Object
from mlops_lab.kube.errors import Unreachable
from mlops_lab.labs import images, namespaces
from mlops_lab.labs.registry import REGISTRY, with_registry
from mlops_lab.labs.workspace import fill, put_kubeconfig
from mlops_lab.tasks import history
from mlops_lab.tasks.place import Place
from mlops_lab.tasks.rendering import SETUP, Rendered
from mlops_lab.tasks.script import run_script

_OBJECTS, _NAMES = "outside.yaml", "outside.txt"
_GONE_WITHIN = 60.0
_SET_UP_WITHIN = 120.0


def begin(place: Place, rendered: Rendered, workspace: Path) -> None:
    """Make the task as the candidate finds it, in a namespace that is not there yet, and fill the workspace.

    Raises:
        LabError: the cluster refuses something, or the set-up fails; with what it printed.
    """
    kube = place.kube
    images.bring(rendered.task.about.images)
    fill(workspace, rendered.folder / "start", place.registry)
    namespaces.create(kube, rendered, rendered.namespace)
    put_kubeconfig(workspace, kube, rendered.namespace)
    for item in _objects(rendered.folder, place.registry):
        kube.apply([item], item["metadata"].get("namespace"))
    namespaces.seed(kube, rendered, rendered.namespace, place.registry)
    history.make(place, rendered, workspace)
    _script(place, rendered, workspace, "setup.sh")


def remove(place: Place, rendered: Rendered, workspace: Path, *, stood: bool = False) -> None:
    """Take the task away; what is not there (any more) is no trouble.

    Args:
        stood: it was made whole: where nodes may be broken its set-up is taken back, though its namespace may be gone.

    Raises:
        LabError: something does not go. The next call continues.
    """
    kube = place.kube
    if (stood and place.breakable) or _stands(place, rendered, workspace):
        _script(place, rendered, workspace, "undo.sh")
    namespaces.remove(kube, rendered, rendered.namespace)
    there = [(kind, name) for kind, name in outside(rendered.folder) if found(kube, kind, name)]
    for kind, name in there:
        kube.delete(kind, name)
    for kind, name in there:
        kube.wait_gone(kind, name, within=_GONE_WITHIN)


def _stands(place: Place, rendered: Rendered, workspace: Path) -> bool:
    """Is the task there? Where the API server may be what is broken, it is if its folder is."""
    try:
        return place.kube.find("Namespace", rendered.namespace) is not None
    except LabError:
        if not (place.breakable and workspace.is_dir()):
            raise
        return True


def found(kube: Kube, kind: str, name: str) -> bool:
    """Is there such an object? There is none of a kind that the cluster does not know (any more).

    Raises:
        LabError: the API server does not tell.
    """
    try:
        return kube.find(kind, name) is not None
    except LabError as unknown:
        if unknown.transient or isinstance(unknown, Unreachable):
            raise
        return False


def outside(folder: Path) -> list[tuple[str, str]]:
    """Kind and name of each object that a rendered task makes, or has made, outside of its namespace."""
    file = folder / SETUP / _NAMES
    lines = file.read_text(encoding="utf-8").split() if file.is_file() else []
    named = [(kind, name) for kind, _, name in (line.partition("/") for line in lines)]
    own = [item for item in _objects(folder, REGISTRY) if not item["metadata"].get("namespace")]
    return list(dict.fromkeys([*named, *((item["kind"], item["metadata"]["name"]) for item in own)]))


def _objects(folder: Path, registry: str) -> list[Object]:
    file = folder / SETUP / _OBJECTS
    if not file.is_file():
        return []
    try:
        return [item for item in yaml.safe_load_all(with_registry(file.read_text(encoding="utf-8"), registry)) if item]
    except yaml.YAMLError as broken:
        raise LabError(f"{file}: {broken}", "the task's set-up is broken; tell its author") from broken


def _script(place: Place, rendered: Rendered, workspace: Path, name: str) -> None:
    file = rendered.folder / SETUP / name
    if file.is_file():
        run_script(file, place, workspace, within=_SET_UP_WITHIN, hint="the task's own script failed; tell its author")
