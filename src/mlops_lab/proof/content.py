"""What a lab's proof was made with, as hashes: a proof speaks of this content and of no other.

Four parts, so that one can say what has changed since: the lab's own folder, the modules that its checker imports,
what it runs on (charts and images), and the engine that runs every lab. What brings images and the cluster itself is
in none of them, and versions are not: the suite has tests of its own for those.

A step of a proof rests on less: no other solution or mistake than its own, and none of the texts that people read. So
a lab with one mistake more has one step more to prove.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from mlops_lab.base.errors import LabError
from mlops_lab.base.paths import project
from mlops_lab.labs.catalog import Exercise, about
from mlops_lab.labs.variants import readable
from mlops_lab.platform.releases import RELEASES
from mlops_lab.proof.imports import Imports, meaning
from mlops_lab.tasks.task import MAIN

# The file that a proof is kept in, beside what it was made with.
KEPT = "proof.json"
# Where a verification begins; what stands behind these judges every lab.
_ENGINE = ("proof.verify", "proof.stage", "checks.run")
# The first four bring the cluster, its images and the platform's parts, whose charts count: what comes of that is the
# cluster's, not the checker's. The others keep what was found.
_APART = (
    *("cluster", "engine", "images", "platform.releases"),
    *("proof.page", "proof.proofs", "proof.ledger", "proof.content", "proof.imports"),
)
# What makes, breaks and looks at the cluster of a lab that breaks nodes; others' proofs don't rest on it.
_NODES = "proof.nodes_stage"
# The model server and the load maker: in every lab's way, named by no lab.
_EVERYWHERE = ("images/flight-delay", "images/load")
# Folders of variants and of the learner's files: programs there are not the checker's.
_WORKS = ("start", "solution", "wrong")
# What people read, and no checker.
_TEXTS = ("README.md", "hints.md")
_PARTS = ("folder", "checker", "platform", "engine")
_LENGTH = 12


class Key(str):
    """A content's four hashes as one, and by step of a verification a hash of what that step rests on.

    Args:
        whole: all four.
        of: says what a step rests on, by its name; the whole if not given.
    """

    _of: Callable[[str], str] | None

    def __new__(cls, whole: str, of: Callable[[str], str] | None = None) -> Key:
        """See the class."""
        key = super().__new__(cls, whole)
        key._of = of
        return key

    def of(self, step: str) -> str:
        """What a step rests on."""
        return self._of(step) if self._of else str(self)


@dataclass(frozen=True)
class Content:
    """The four hashes.

    Attributes:
        of: says by a step's name which files of the lab's folder that step rests on, as one hash; None where that was
            not kept.
    """

    folder: str
    checker: str
    platform: str
    engine: str
    of: Callable[[str], str] | None = field(default=None, compare=False, repr=False)

    @property
    def key(self) -> Key:
        """All four as one."""
        of = self.of
        return Key(self._with(self.folder), of and (lambda step: self._with(of(step))))

    def plain(self) -> dict[str, str]:
        """The four, by name."""
        return {name: getattr(self, name) for name in _PARTS}

    def changed(self, before: Content | None) -> list[str]:
        """Which parts are others than before, the lab's own first; all of them without a before."""
        return [name for name in _PARTS if before is None or getattr(self, name) != getattr(before, name)]

    def _with(self, folder: str) -> str:
        return _short("\0".join((folder, self.checker, self.platform, self.engine)).encode())


class Contents:
    """Says what labs are made of now; what all of them share is read once.

    Args:
        package: the program's folder; the one that runs if not given.
        root: the folder of charts and images; the project's if not given.
    """

    def __init__(self, package: Path | None = None, root: Path | None = None) -> None:
        package = package or Path(__file__).parents[1]
        self._root = root or project()
        self._imports = Imports(package)
        self._nodes = f"{package.name}.{_NODES}"
        self._apart = [f"{package.name}.{name}" for name in _APART]
        self._engine = self._imports.behind([f"{package.name}.{name}" for name in _ENGINE], self._apart)
        self._judged = self._modules(self._engine)

    def of(self, exercise: Exercise) -> Content:
        """What one lab is made of."""
        named = {name for file in _checkers(exercise.folder) for name in self._imports.of(file)}
        named |= {self._nodes} if _breaks_nodes(exercise) else set()
        apart = [name for name in self._apart if not _names(named, name)]
        own = self._imports.behind(named - self._engine, apart) - self._engine
        folder = _Folder(exercise)
        platform = _digest(line for each in _platform(exercise, self._root) for line in _each(each).values())
        return Content(folder.whole, self._modules(own), platform, self._judged, folder.of)

    def _modules(self, names: Iterable[str]) -> str:
        """A hash of modules by what they do: comments and docstrings may change."""
        digest = hashlib.sha256()
        for name in sorted(names):
            file = self._imports.file(name)
            assert file is not None, name
            digest.update(f"{name}\0{meaning(file.read_text(encoding='utf-8'))}\0".encode())
        return digest.hexdigest()[:_LENGTH]


def content_of(exercise: Exercise) -> Content:
    """What a lab is made of now."""
    return Contents().of(exercise)


def _checkers(folder: Path) -> list[Path]:
    """The programs of a lab's checker, and those that it runs in pods."""
    return sorted(
        file
        for file in folder.rglob("*.py")
        if file.relative_to(folder).parts[0] not in _WORKS and "__pycache__" not in file.parts
    )


def _names(named: Iterable[str], package: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for name in named)


def _breaks_nodes(exercise: Exercise) -> bool:
    try:
        return about(exercise).cluster != MAIN
    except LabError:  # its form says so
        return False


def _platform(exercise: Exercise, root: Path) -> list[Path]:
    """The folders of charts and images that a lab stands on."""
    try:
        it = about(exercise)
    except LabError:  # its form says so
        return []
    wanted = [*_EVERYWHERE, *(f"charts/{release.chart}" for release in RELEASES if release.part in it.needs)]
    wanted += [f"images/{name.partition(':')[0]}" for name in it.images]
    if "pipelines" in it.needs or "images/components" in wanted:
        wanted += ["components", "images/components"]
    return [root / name for name in dict.fromkeys(wanted) if (root / name).is_dir()]


class _Folder:
    """A lab's folder as it is now, whatever becomes of it while the lab is proved."""

    def __init__(self, exercise: Exercise) -> None:
        self._files = _each(exercise.folder)
        self._bases = {
            f"{each.kind}/{each.name}": f"{each.base.kind}/{each.base.name}"
            for kind in ("solution", "wrong")
            for each in readable(exercise, kind)[0]
            if each.base
        }
        self.whole = _digest(self._files.values())

    def of(self, step: str) -> str:
        """A hash of the files that a step rests on: of `wrong NAME` that mistake and what it is laid over.

        Other steps rest on no mistake, and on all solutions; the form, of which the texts are a part, on everything.
        """
        kind, _, name = step.partition(",")[0].partition(" ")
        if kind == "form":
            return self.whole
        without, laid = {"wrong", *_TEXTS}, set[str]()
        if kind in ("solution", "wrong"):
            without, variant = without | {"solution"}, f"{kind}/{name}"
            while variant:
                laid.add(variant)
                variant = self._bases.get(variant, "")
        return _digest(
            line
            for file, line in self._files.items()
            if file.split("/")[0] not in without or "/".join(file.split("/")[:2]) in laid
        )


def _each(folder: Path) -> dict[str, bytes]:
    """Of each file in a folder its bytes' hash, its name and whether it can be run."""
    found: dict[str, bytes] = {}
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        inside = file.relative_to(folder)
        if "__pycache__" not in inside.parts and str(inside) != KEPT:
            line = f"{folder.name}/{inside}\0{file.stat().st_mode & 0o100}\0".encode()
            found[inside.as_posix()] = line + hashlib.sha256(file.read_bytes()).digest()
    return found


def _digest(lines: Iterable[bytes]) -> str:
    return _short(b"".join(lines))


def _short(whole: bytes) -> str:
    return hashlib.sha256(whole).hexdigest()[:_LENGTH]
