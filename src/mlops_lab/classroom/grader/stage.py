"""A submission on its stage: the lab's beginning in the sandbox, the files in a folder, and both put together."""

from __future__ import annotations

import shutil
from pathlib import Path

from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.classroom import packing
from mlops_lab.classroom.grader.apart.place import Place, Ran
from mlops_lab.kube.client import Kube
from mlops_lab.labs import namespaces, parts
from mlops_lab.labs.catalog import Exercise, about
from mlops_lab.labs.registry import REGISTRY, with_registry

_APPLIED_WITHIN = 60.0  # s
_KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")


def begin(kube: Kube, exercise: Exercise, namespace: str, registry: str) -> None:
    """What a lab begins with, in a namespace that is there: the platform's addresses, and its seed.

    Raises:
        LabError: the cluster lacks a part of the platform, or the seed does not come to its end.
    """
    needs = about(exercise).needs
    parts.require_installed(kube, exercise.number, needs)
    if parts.needed(needs):
        data = parts.settings(namespace, needs)
        meta = {"name": parts.SETTINGS, "labels": {"app.kubernetes.io/managed-by": namespaces.MANAGED_BY}}
        kube.apply([{"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}], namespace)
    namespaces.seed(kube, exercise, namespace, registry)


def lay(content: bytes, exercise: Exercise, folder: Path, registry: str, kubeconfig: str) -> None:
    """The learner's files as they lay in the workspace, with what `lab submit` leaves out and the lab has laid there.

    Args:
        kubeconfig: for the sandbox, with a learner's rights.

    Raises:
        Refused: the archive is none.
        LabError: the folder can't be written.
    """
    try:
        packing.unpack(content, folder)
        for path in _left_out(exercise.folder / "start"):
            target = folder / path.relative_to(exercise.folder / "start")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
            shutil.copymode(path, target)
        if registry != REGISTRY:
            _rename(folder, registry)
        (folder / ".lab").mkdir()
        file = folder / ".lab" / "kubeconfig"
        file.touch(mode=0o600)
        file.write_text(kubeconfig, "utf-8")
    except OSError as trouble:
        raise LabError(f"{folder} can't be written: {trouble.strerror or trouble}", "it is graded again") from trouble


def put_to_work(place: Place, folder: Path, kubeconfig: str) -> Ran | None:
    """Apply the files as `lab verify` applies a solution, with kubectl in the third place: it reads what anybody wrote.

    Returns:
        How kubectl ended; None where nothing is to be applied: the work is a program, or a file.

    Raises:
        LabError: the third place has trouble.
    """
    words = applied(folder)
    if not words:
        return None
    return place.run(
        folder, ["kubectl", "apply", *words], within=_APPLIED_WITHIN, kubeconfig=kubeconfig, files=False
    )  # fmt: skip


def applied(folder: Path) -> list[str]:
    """What kubectl is given of a folder: `-k .` with a kustomization, else each YAML file at its top; or nothing."""
    names = sorted(
        path.name for path in folder.glob("*") if path.suffix in (".yaml", ".yml") or path.name in _KUSTOMIZATIONS
    )
    if set(names) & set(_KUSTOMIZATIONS):
        return ["-k", "."]
    return [word for name in names for word in ("-f", name)]


def _left_out(start: Path) -> list[Path]:
    """Files that the lab lays into a workspace and that no archive has: hidden ones."""
    try:
        names = packing.pack(start).left_out if start.is_dir() else ()
    except UsageError:  # it has no other file
        names = tuple(path.name + ("/" if path.is_dir() else "") for path in start.iterdir())
    found: list[Path] = []
    for name in names:
        path = start / name
        found += sorted(each for each in path.rglob("*") if each.is_file()) if name.endswith("/") else [path]
    return found


def _rename(folder: Path, registry: str) -> None:
    """Learners' files name images by the registry of a cluster of their own; this cluster's has another name."""
    for file in sorted(each for each in folder.rglob("*") if each.is_file() and not each.is_symlink()):
        try:
            text = file.read_text("utf-8")
        except UnicodeDecodeError:
            continue
        if (changed := with_registry(text, registry)) != text:
            file.write_text(changed, "utf-8")
