"""Python packages for an image, installed on the host from a lock file with hashes; nothing runs inside the image."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

from mlops_lab.images.sources import Sources
from mlops_lab.images.steps import Step
from mlops_lab.images.work import Work, link

PLATFORMS = {"amd64": "x86_64-manylinux_2_28", "arm64": "aarch64-manylinux_2_28"}


def site(sources: Sources, name: str, lock: Path, *, python: str = "3.11", seconds: float = 20) -> Step:
    """A folder step with `site/`, what `lock` asks for, as wheels for the engine's architecture.

    Args:
        name: the step's name, such as `pypi/flight-delay`.
        lock: made by `uv pip compile --generate-hashes`.
        python: the version of the image's Python.
    """

    def make(work: Work) -> None:
        work.run(
            [
                *installer(),
                *("--target", str(work.out / "site")),
                *("--python-version", python, "--python-platform", PLATFORMS[work.arch]),
                *("--only-binary", ":all:", "--no-deps", "--require-hashes", "--link-mode", "copy", "-r", lock),
            ]
        )

    return sources.once(name, lambda: Step(name, make, (lock, python), seconds=seconds, arch=sources.arch))


def slim(sources: Sources, name: str, whole: Step, *, seconds: float = 2) -> Step:
    """A folder step with the `site/` of another without the packages' tests, which are a seventh of it."""

    def make(work: Work) -> None:
        shutil.copytree(
            work.result(whole) / "site", work.out / "site", copy_function=link, ignore=shutil.ignore_patterns("tests")
        )

    return sources.once(name, lambda: Step(name, make, ("tests",), needs=(whole,), seconds=seconds, arch=sources.arch))


def locked(lock: Path, package: str) -> str:
    """The version of a package that a lock file asks for."""
    found = re.search(rf"^{re.escape(package)}==(\S+)", lock.read_text(), re.MULTILINE)
    if not found:
        raise ValueError(f"{lock} does not lock {package}")
    return found.group(1)


def uv() -> list[str]:
    """The start of a `uv` command; uv is one of the project's own packages."""
    return [sys.executable, "-m", "uv"]


def installer() -> list[str]:
    """The start of a command that installs Python packages."""
    return [*uv(), "pip", "install", "--quiet"]
