"""Take from a bundle what a machine needs: images for the engine and the registry, programs, and made folders.

First all of the file is checked. Then each thing is put in its place whole or not at all, and what is in its place
already is left alone: so an interrupted load goes on where it was.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from pathlib import Path

from mlops_lab.base.errors import LabError
from mlops_lab.base.paths import cache
from mlops_lab.base.processes import bounded, end, start
from mlops_lab.base.progress import Progress
from mlops_lab.cluster import kind, names, registry, registry_content
from mlops_lab.cluster.up import exclusive
from mlops_lab.engine.docker import CLIENT_ENV, Docker
from mlops_lab.images.bundle import loaded
from mlops_lab.images.bundle.archive import Archive, require_room
from mlops_lab.images.bundle.folders import inflated, unpack
from mlops_lab.images.bundle.form import Packed, Served, Unusable, member
from mlops_lab.images.bundle.meter import Meter, sized
from mlops_lab.images.catalog import CATALOG, served_as, sources
from mlops_lab.images.recipes import registry as registry_image
from mlops_lab.images.sources import Mode, Sources, full
from mlops_lab.images.steps import Step
from mlops_lab.images.store import Store

_LOADED_WITHIN = 1800.0  # s
_SPARE = 200e6  # bytes that stay free
Makers = Mapping[str, Callable[[Sources], Step]]


class _Stopped(Exception):
    """The other half of the work has failed, or the user has ended it."""


def load(archive: Archive, docker: Docker, makers: Makers, progress: Progress, *, wait: bool = True) -> None:
    """Have all of a bundle here; nothing is done where it is.

    Args:
        makers: what makes the steps whose folders a bundle may have, by the steps' names.
        wait: wait for another command that uses the cluster, instead of raising an error.

    Raises:
        LabError: it is for other machines or another version of the project, is damaged, or there is no room; nothing
            was taken from it then. Or the engine or the registry did not take something, and what came before stays.
    """
    known = fitting(archive, docker, makers)
    archive.check(progress)
    store = Store(docker)
    with exclusive(progress, wait), store.used(progress.say):
        _Load(archive, docker, known, store, progress).work()
        loaded.note(archive.path, _mode(archive), [known[name].ref for name in archive.manifest.served])


def fitting(archive: Archive, docker: Docker, makers: Makers) -> dict[str, Step]:
    """The steps whose results a bundle has, by image or step.

    Raises:
        Unusable: it was made for other machines, or for another state of the project.
    """
    manifest = archive.manifest
    if (engine := f"linux/{docker.arch}") != manifest.engine:
        raise archive.foreign(manifest.engine, engine)
    archive.fits_host()
    here = sources(_mode(archive), docker.arch, offline=True)
    kept: dict[str, Served | Packed] = {**manifest.served, **manifest.loaded, **manifest.folders}
    found: dict[str, Step] = {}
    for name, each in kept.items():
        if name in CATALOG:
            found[name] = here.image(name)
        elif name in makers:
            found[name] = makers[name](here)
        if name not in found or found[name].key != each.key:
            raise Unusable(
                f"{archive.path} was made for another version of the project: its {name} is not this one's",
                f"use the project as it was then ({manifest.project}), or make the bundle anew with this one",
            )
    if registry_image.NAME not in manifest.loaded:
        raise Unusable(f"{archive.path} can't be used: it lacks {registry_image.NAME}", "make it anew: lab bundle FILE")
    return found


def _mode(archive: Archive) -> Mode:
    return "pull" if archive.manifest.mode == "pull" else "build"


class _Load:
    """One load, by who has the cluster and the cache for it."""

    def __init__(
        self, archive: Archive, docker: Docker, known: Mapping[str, Step], store: Store, progress: Progress
    ) -> None:
        self._archive, self._docker, self._known, self._progress = archive, docker, known, progress
        self._manifest, self._store, self._stop = archive.manifest, store, threading.Event()

    def work(self) -> None:
        """Take what is not here."""
        folders = {name: each for name, each in self._manifest.folders.items() if self._lacks(name)}
        images = {name: each for name, each in self._manifest.loaded.items() if self._lacks(name)}
        have = len(self._manifest.loaded) + len(self._manifest.folders) - len(images) - len(folders)
        if have and (images or folders):
            self._progress.say(f"{have} of {have + len(images) + len(folders)} programs and images are here already")
        self._require_room(images, folders)
        for name in self._manifest.folders:
            if name in folders:
                self._folder(self._known[name], folders[name])
            self._store.use(self._known[name])
        first = registry_image.NAME
        if first in images:
            self._image(self._known[first], images.pop(first))
        registry.ensure(self._docker, self._known[first].ref)
        pool = ThreadPoolExecutor(2)  # the engine unpacks on one core
        jobs: list[Future[None]] = [pool.submit(self._images, images), pool.submit(self._serve)]
        try:
            for job in as_completed(jobs):
                job.result()
        except BaseException:
            self._stop.set()
            raise
        finally:
            pool.shutdown()

    def _lacks(self, name: str) -> bool:
        return not self._store.has(self._known[name])

    def _lacking(self) -> dict[str, Served]:
        """The images that the registry does not have yet, or of which that is not known."""
        found = self._manifest.served.items()
        return {name: each for name, each in found if not registry.serves(each.name, each.key)}

    def _require_room(self, images: Mapping[str, Packed], folders: Mapping[str, Packed]) -> None:
        name = self._archive.path.name
        blobs = sum(self._size(digest) for digest in _digests(self._lacking()))
        inside = blobs + sum(each.size for each in folders.values())
        if inside:
            require_room(cache(), inside + _SPARE, f"what {name} holds for the registry")
        root = Path(str(self._docker.facts.get("DockerRootDir") or ""))
        if images and root.is_dir():  # the engine may be on another machine, or in one of its own
            # It keeps a copy of the whole archive while it unpacks that.
            need = 2 * sum(each.size for each in images.values()) + _SPARE
            require_room(root, need, f"what {name} holds for the engine")

    def _size(self, digest: str) -> int:
        return self._manifest.files[member(digest)].size

    def _read(self, name: str, meter: Meter) -> Iterator[bytes]:
        for chunk in self._archive.chunks(name):
            if self._stop.is_set():
                raise _Stopped
            meter.add(len(chunk))
            yield chunk

    def _folder(self, step: Step, packed: Packed) -> None:
        target = self._store.folder(step)
        target.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f"{step.key}.", suffix=".part", dir=target.parent))
        try:
            unpack(self._archive, packed, part)
            part.chmod(0o755)
            part.rename(target)
        finally:
            shutil.rmtree(part, ignore_errors=True)

    def _images(self, images: Mapping[str, Packed]) -> None:
        for name, each in images.items():
            self._image(self._known[name], each)

    def _image(self, step: Step, packed: Packed) -> None:
        """Load an image into the engine, which takes it whole or not at all."""
        size = self._manifest.files[packed.file].size
        content = self._read(packed.file, Meter(self._progress, f"{step.image} to the engine", size))
        piece = self._progress.piece(f"{step.image} to the engine ({sized(size)})")
        words = ["docker", "load", "--quiet"]
        with piece, tempfile.TemporaryFile() as said:
            child = start(words, stdin=subprocess.PIPE, stdout=said, stderr=subprocess.STDOUT, env=CLIENT_ENV)
            assert child.stdin
            with bounded(child, _LOADED_WITHIN, self._stop):
                try:
                    with contextlib.suppress(BrokenPipeError):
                        inflated(content, child.stdin)
                        child.stdin.close()
                    child.wait()
                finally:
                    end(child)  # first, as closing waits until what is left is read
                    with contextlib.suppress(BrokenPipeError):
                        child.stdin.close()
            if self._stop.is_set():
                raise _Stopped
            if child.returncode != 0 or self._docker.inspect("image", step.ref) is None:
                said.seek(0)
                raise LabError(
                    f"the engine does not take {step.image} from {self._archive.path.name}",
                    "see its reason and the free disk space, then run the same command again: it goes on there",
                    said.read().decode(errors="replace").strip()[-2000:],
                )

    def _serve(self) -> None:
        """Put images into the registry, each blob once; an image gets its name when all of it is there."""
        lacking = self._lacking()
        if not lacking:
            return
        total = sum(map(self._size, _digests(lacking)))
        meter = Meter(self._progress, "images to the registry", total)
        has: dict[str, str] = {}  # blobs that it has, with a repository that they are in
        with self._progress.piece(f"{len(lacking)} images to the registry ({sized(total)})"):
            for image in lacking.values():
                repository, _, tag = image.name.rpartition(":")
                for digest in image.blobs:
                    content = self._read(member(digest), meter)
                    registry_content.put_blob(
                        repository, digest, self._size(digest), content, has.setdefault(digest, repository)
                    )
                for digest, what in image.manifests.items():
                    manifest = b"".join(self._archive.chunks(member(digest)))
                    reference = tag if digest == image.digest else digest
                    registry_content.put_manifest(repository, reference, what, manifest)
                registry.note(image.name, image.key, image.digest)
        # Nodes of a cluster that is up may have others under these names.
        kind.forget_images(self._docker, [_on_nodes(name) for name in lacking])


def _digests(images: Mapping[str, Served]) -> set[str]:
    return {digest for each in images.values() for digest in each.blobs}


def _on_nodes(name: str) -> str:
    return f"{names.REGISTRY_PREFIX}/{served_as(name)}" if CATALOG[name].served else full(name)
