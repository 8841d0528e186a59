"""The packages that `lab` itself is made of, as files: what `scripts/setup` needs to make .venv from a bundle.

They are for this host, and for each version of Python that a learner's machine may have. Which they are, and their
hashes, is in the locks of `requirements/`; the one that is published as source alone comes as that.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from mlops_lab.base.errors import LabError
from mlops_lab.base.paths import project
from mlops_lab.engine.host import is_linux
from mlops_lab.images.bundle.archive import host_platform
from mlops_lab.images.recipes import pypi
from mlops_lab.images.sources import Sources
from mlops_lab.images.steps import Step
from mlops_lab.images.work import Work

NAME = "pypi/lab"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
LOCKS = ("setup.txt", "lab.txt")
_FOLDER = project() / "requirements"
# pip, for a Python that comes without it, and to fetch with.
_PIP = project() / "images" / "python-build" / "tools.lock"
_PLATFORMS = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}
_GLIBC = ("manylinux_2_17", "manylinux2014", "manylinux_2_27", "manylinux_2_28")


def locks() -> list[Path]:
    """The lock files.

    Raises:
        LabError: they are not there: `lab` was not installed from a clone.
    """
    found = [_FOLDER / name for name in LOCKS]
    if not all(each.is_file() for each in found):
        raise LabError(
            "a bundle is made in a clone of the project, whose locks say what `lab` itself needs",
            "clone it, run scripts/setup there, and use that one's `lab`",
        )
    return found


def wheels(sources: Sources) -> Step:
    """A folder step with the files."""

    def make(work: Work) -> None:
        tools = work.out / "tools"
        into = ("--target", tools, "--no-deps", "--require-hashes")
        for lock in (_PIP, _FOLDER / "setup.txt"):  # its build backend reads what the package published as source needs
            work.run([*pypi.installer(), *into, "-r", lock])
        own = _own()
        for python in PYTHONS:
            fetch: list[str | Path] = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
            fetch += ["--require-hashes", "--no-build-isolation", "--python-version", python, *own]
            for lock in (*locks(), _PIP):
                work.run([*fetch, "--dest", work.out, "-r", lock], env={"PYTHONPATH": str(tools)})
        shutil.rmtree(tools)

    inputs: tuple[str | Path, ...] = (*locks(), _PIP, *PYTHONS, *_GLIBC)
    return sources.once(NAME, lambda: Step(NAME, make, inputs, seconds=60, within=1800, arch=host_platform()))


def _own() -> list[str]:
    """What tells pip for which platform: old enough a libc that packages run wherever an engine does."""
    if not is_linux():
        return []  # this host's own
    cpu = _PLATFORMS[host_platform()]
    return [word for libc in _GLIBC for word in ("--platform", f"{libc}_{cpu}")]
