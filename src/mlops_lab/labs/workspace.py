"""The learner's folder for a lab: filled once, never overwritten; what is in it."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mlops_lab.base import entries
from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.base.paths import is_file
from mlops_lab.base.paths import workspace as workspaces
from mlops_lab.kube.client import Kube
from mlops_lab.labs.catalog import Exercise
from mlops_lab.labs.registry import REGISTRY, with_registry

# What is applied when the lab starts, and not copied.
SEED = "seed.yaml"


@dataclass
class Filled:
    """What `fill` did: files written, files left because they differ from the lab's own, both relative."""

    folder: Path
    written: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)


def folder_of(exercise: Exercise) -> Path:
    """The learner's folder for a lab."""
    return workspaces() / exercise.slug


def fill(folder: Path, source: Path, registry: str = REGISTRY) -> Filled:
    """Copy a lab's start files into a folder; existing files are never changed.

    Raises:
        LabError: the folder cannot be written.
    """
    done = Filled(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file in sorted(path for path in source.rglob("*") if path.is_file()) if source.is_dir() else []:
            relative = file.relative_to(source)
            if str(relative) == SEED:
                continue
            content = _content(file, registry)
            target = folder / relative
            if target.exists() or target.is_symlink():
                if not target.is_file() or target.read_bytes() != content:
                    done.kept.append(str(relative))
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            shutil.copymode(file, target)
            done.written.append(str(relative))
    except OSError as trouble:
        raise _unwritable(folder, trouble) from trouble
    return done


def put_kubeconfig(folder: Path, kube: Kube, namespace: str) -> Path:
    """Write `.lab/kubeconfig`: with it kubectl and the learner's own programs work in the lab's namespace.

    It has the key to the cluster, so Git is told to leave `.lab` alone.

    Raises:
        LabError: the folder cannot be written.
    """
    from mlops_lab.kube.kubeconfig import for_namespace

    file = folder / ".lab" / "kubeconfig"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.with_name(".gitignore").write_text("*\n")
        file.touch(mode=0o600)
        file.chmod(0o600)
        file.write_text(for_namespace(kube, namespace))
    except OSError as trouble:
        raise _unwritable(folder, trouble) from trouble
    return file


def _unwritable(folder: Path, trouble: OSError) -> LabError:
    return LabError(
        f"the workspace {folder} can't be written: {trouble.strerror or trouble}",
        "check free disk space and the folder's owner, or choose another place with MLOPS_LAB_WORKSPACE",
    )


def manifests(folder: Path) -> Iterator[Path]:
    """The YAML files of a workspace; not the templates of a chart, which are YAML only once rendered.

    Nor what a link leads to that is elsewhere: the checks say so.
    """
    root = os.path.realpath(folder)
    for path in sorted(each for each in entries.files(folder) if each.suffix in (".yaml", ".yml")):
        if "templates" not in path.relative_to(folder).parts[:-1] and not entries.what(path, root) and is_file(path):
            yield path


def parse_manifests(folder: Path) -> None:
    """Read all YAML files of a workspace, to report errors before kubectl does.

    Raises:
        UsageError: one does not parse; says the learner's file and the line.
    """
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for file in manifests(folder):
        try:
            with file.open(encoding="utf-8") as text:
                for _ in yaml.compose_all(text, Loader=loader):
                    pass
        except yaml.MarkedYAMLError as broken:
            mark = broken.problem_mark or broken.context_mark
            line = mark.line + 1 if mark else 1
            raise UsageError(
                f"{file}:{line}: this is not valid YAML: {broken.problem or broken.context}",
                "look at that line and the one before: wrong indentation, a missing colon, a tab or an open quote",
            ) from broken
        except OSError as trouble:
            raise UsageError(
                f"{file} can't be read: {trouble.strerror}",
                f"make yourself its owner: sudo chown $USER {shlex.quote(str(file))}",
            ) from trouble
        except (yaml.YAMLError, UnicodeDecodeError) as broken:
            raise UsageError(
                f"{file}:1: this YAML cannot be read: {str(broken).splitlines()[0]}", "save the file as UTF-8 text"
            ) from broken


def _content(file: Path, registry: str) -> bytes:
    content = file.read_bytes()
    if registry == REGISTRY:
        return content
    try:
        return with_registry(content.decode("utf-8"), registry).encode()
    except UnicodeDecodeError:
        return content
