"""A task: its folder below labs/exam, and what its task.toml says."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from mlops_lab.base.errors import UsageError
from mlops_lab.labs.catalog import labs_folder

# The exams' domains and what each counts, in percent. CKA and CKAD: the curricula of v1.35,
# https://github.com/cncf/curriculum; the third exam is this project's own.
EXAMS: dict[str, dict[str, int]] = {
    "cka": {
        "troubleshooting": 30,
        "cluster-architecture": 25,
        "services-and-networking": 20,
        "workloads-and-scheduling": 15,
        "storage": 10,
    },
    "ckad": {
        "environment-configuration-and-security": 25,
        "design-and-build": 20,
        "deployment": 20,
        "services-and-networking": 20,
        "observability-and-maintenance": 15,
    },
    "mlops": {
        "serving-and-scaling": 25,
        "pipelines-and-continuous-training": 25,
        "monitoring-drift-and-alerts": 25,
        "release-and-rollback": 15,
        "governance-and-security": 10,
    },
}
FILE = "task.toml"
MAIN, NODES = "main", "nodes"


class Description(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The fields of a task.toml.

    Attributes:
        exams: the domain that it counts for, by exam: `{ cka = "storage", ckad = "design-and-build" }`.
        weight: percent of an exam's score.
        minutes: how long a candidate who knows it needs.
        competencies: the curriculum's lines that it practises, in the curriculum's words.
        needs: parts of the platform that must be installed.
        images: what its pods run in, in addition to images that every cluster has.
        addons: of the cluster, such as `traefik`.
        cluster: `main`, or `nodes`: the second cluster, whose nodes and control plane may be broken.
        claims: what no other task of a sitting may touch at the same time, such as `worker`.
    """

    title: Annotated[str, msgspec.Meta(min_length=1)]
    exams: Annotated[dict[Literal["cka", "ckad", "mlops"], str], msgspec.Meta(min_length=1)]
    weight: Annotated[int, msgspec.Meta(ge=1, le=10)]
    minutes: Annotated[int, msgspec.Meta(ge=3, le=12)]
    competencies: Annotated[list[str], msgspec.Meta(min_length=1)]
    needs: list[str] = []
    images: list[str] = []
    addons: list[Literal["traefik"]] = []
    cluster: Literal["main", "nodes"] = MAIN  # type: ignore[assignment]
    claims: list[str] = []


@dataclass(frozen=True)
class Task:
    """A task's folder and its description."""

    folder: Path
    about: Description

    @property
    def name(self) -> str:
        """The folder's name, such as `resize-a-claim`."""
        return self.folder.name


def bank() -> Path:
    """The folder of all tasks."""
    return labs_folder() / "exam"


def tasks(root: Path | None = None) -> list[Task]:
    """Every task, by name.

    Raises:
        UsageError: a task.toml is broken; says which, and what is wrong.
    """
    root = root or bank()
    return [Task(file.parent, describe(file)) for file in sorted(root.glob(f"*/{FILE}"))]


def named(name: str, root: Path | None = None) -> Task:
    """The task of that name.

    Raises:
        UsageError: there is none; the hint has the nearest names.
    """
    import difflib

    known = {file.parent.name: file for file in (root or bank()).glob(f"*/{FILE}")}
    if name in known:
        return Task(known[name].parent, describe(known[name]))
    near = difflib.get_close_matches(name, known, n=4, cutoff=0.4)
    hint = f"did you mean {' or '.join(near)}?" if near else "see which tasks there are: lab exam tasks"
    raise UsageError(f"there is no task {name!r}", hint)


def describe(file: Path) -> Description:
    """Read a task.toml.

    Raises:
        UsageError: it is not there, is not TOML, or a field is wrong; says which.
    """
    try:
        found = msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), Description)
    except FileNotFoundError:
        raise UsageError(f"{file}: there is no such file", "a task's folder needs one") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as wrong:
        fields = ", ".join(each.name for each in msgspec.structs.fields(Description))
        raise UsageError(f"{file}: {wrong}", f"correct it; a task.toml has {fields}") from wrong
    for exam, domain in found.exams.items():
        if domain not in EXAMS[exam]:
            raise UsageError(f"{file}: {exam} has no domain {domain!r}", f"it has {', '.join(EXAMS[exam])}")
    return found
