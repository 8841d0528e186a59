"""Which of the engine's images is meant, and its files as an archive."""

from __future__ import annotations

import contextlib
import difflib
import shlex
import tempfile
from collections.abc import Iterator
from pathlib import Path

from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.base.paths import cache
from mlops_lab.engine.docker import Docker
from mlops_lab.images.build import last_mode
from mlops_lab.images.bundle.form import plain
from mlops_lab.images.bundle.loaded import loaded
from mlops_lab.images.catalog import CATALOG, sources
from mlops_lab.images.sources import Mode
from mlops_lab.images.steps import Step
from mlops_lab.images.store import Store

_WITHIN = 900.0  # seconds to write an image's files, of which the largest have some gigabytes


def built(name: str, docker: Docker, mirror: str = "") -> Step:
    """The step whose result the engine holds under an image's name.

    Args:
        name: of the catalog; what stands before the last `/` may be left out, and so may the tag.
        mirror: the registry prefix that images are pulled from.

    Raises:
        UsageError: the catalog has no such image, or several.
        LabError: it was pulled, or is not there.
    """
    full = full_name(name)
    # Our own images stand on a base that was pulled or built: they are other images then, and both are built.
    first: Mode = last_mode() or "build"
    modes: tuple[Mode, ...] = (first, "pull" if first == "build" else "build")
    steps = [sources(mode, docker.arch, mirror).image(full) for mode in modes]
    store = Store(docker)
    there = [step for step in steps if store.has(step)]
    for step in there:
        if not step.name.startswith("pull/"):
            return step
    if there:
        raise LabError(
            f"{full} was pulled: its publisher says what is in it, not a build of this project",
            f"build it (lab images build --images build {full}), then run this again",
        )
    if (bundle := loaded()) and any(step.ref in bundle.refs for step in steps):
        raise LabError(
            f"{full} came from the bundle {bundle.file}, which has its bill of materials, too",
            f"tar -xOf {shlex.quote(bundle.file)} sbom/{plain(full)}.cdx.json",
        )
    raise LabError(f"{full} is not here yet", f"build it (lab images build {full}), then run this again")


def full_name(name: str) -> str:
    """The name in the catalog that is meant; what stands before the last `/` may be left out, and so may the tag.

    Raises:
        UsageError: the catalog has no such image, or several.
    """
    shorter = {full: (full, short := full.rpartition("/")[2], short.partition(":")[0]) for full in CATALOG}
    meant = [full for full, names in shorter.items() if name in names]
    if len(meant) == 1:
        return meant[0]
    if meant:
        raise UsageError(f"there are several images {name!r} in the catalog", f"name one: {', '.join(meant)}")
    near = difflib.get_close_matches(name, [each for names in shorter.values() for each in names], n=2)
    hint = f"; did you mean {' or '.join(dict.fromkeys(near))}?" if near else ""
    raise UsageError(f"no image {name!r} in the catalog{hint}", "`lab images list` shows the names")


@contextlib.contextmanager
def exported(docker: Docker, ref: str) -> Iterator[Path]:
    """All files of an image as one archive, as a container would see them; it is gone afterwards.

    Raises:
        LabError: the engine does not give them.
    """
    # Nothing runs in it: an image that names no program just needs some word here.
    container = docker.run("create", "--network", "none", ref, "none").stdout.strip()
    try:
        home = cache() / "build"  # where there is room for it, and what is left of a killed run is cleared
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="sbom-", dir=home) as folder:
            archive = Path(folder) / "image.tar"
            docker.run("export", "-o", archive, container, within=_WITHIN)
            yield archive
    finally:
        docker.run("rm", "-f", container, check=False)
