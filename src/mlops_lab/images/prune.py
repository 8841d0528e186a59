"""What the image cache holds and how large it is; clear it, whole or only what newer results have replaced."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_lab.base.paths import cache
from mlops_lab.engine.docker import Docker

# The folders of the cache that hold nothing but what can be made again.
_FOLDERS = ("build", "registry", "bundle", "logs", "kind", "node-registries", "go")


@dataclass(frozen=True)
class Held:
    """Something in the cache: an image of the engine or a folder, its size in bytes, and whether it is in use.

    An image may have other names, too, which it got when it was pushed to the cluster's registry.
    """

    name: str
    size: int
    folder: Path | None = None
    used: bool = False
    names: tuple[str, ...] = ()


def images(docker: Docker) -> list[Held]:
    """The engine's images that the project made or pulled. Layers that images share count for each of them."""
    refs = docker.run(
        "images", "--filter", "reference=mlops-lab/*", "--format", "{{.Repository}}:{{.Tag}}"
    ).stdout.split()
    if not refs:
        return []
    found: list[dict[str, Any]] = json.loads(docker.run("image", "inspect", *refs, check=False).stdout or "[]")
    items = {ref: item for item in found for ref in item["RepoTags"] or ()}
    containers = docker.run("ps", "-aq", "--no-trunc").stdout.split()
    used = (
        set(docker.run("inspect", "--format", "{{.Image}}", *containers, check=False).stdout.split())
        if containers
        else set()
    )
    return [
        Held(ref, int(item["Size"]), used=item["Id"] in used, names=tuple(filter(_served(ref), item["RepoTags"])))
        for ref in sorted(refs)
        if (item := items.get(ref))
    ]


def _served(ref: str) -> Callable[[str], bool]:
    """Is a name the one that this image is pushed under? Other names of it are the user's."""
    own = ref.removeprefix("mlops-lab/").rpartition("-")[0]
    return lambda name: name.startswith("localhost:") and name.rpartition("/")[2] == own


def folders() -> list[Held]:
    """The folders of the cache."""
    return [Held(str(path), _size(path), path) for name in _FOLDERS if (path := cache() / name).exists()]


def replaced(docker: Docker, current: set[str]) -> list[Held]:
    """Images and step results that are not the current ones."""
    old = [held for held in images(docker) if held.name not in current and not held.used]
    for link in (cache() / "build").glob("*/current"):
        keep = link.resolve()
        old += [
            Held(str(path), _size(path), path)
            for path in link.parent.iterdir()
            if path.is_dir() and not path.is_symlink() and path.resolve() != keep  # the cache may lie behind a link
        ]
    return old


def remove(docker: Docker | None, held: list[Held]) -> list[Path]:
    """Remove images and folders; what is in use or gone already is left alone.

    Returns:
        The folders of which something is left, since it can't be removed.
    """
    refs = [name for each in held if each.folder is None for name in (each.name, *each.names)]
    if docker and refs:
        docker.run("rmi", *refs, within=300, check=False)
    for each in held:
        if each.folder:
            shutil.rmtree(each.folder, ignore_errors=True)
    return [each.folder for each in held if each.folder and each.folder.exists()]


def _size(path: Path) -> int:
    total, seen = 0, set()
    for root, _, files in os.walk(path):
        for name in files:
            with contextlib.suppress(FileNotFoundError):  # a registry at work removes what it has taken
                state = Path(root, name).lstat()
                if state.st_ino not in seen:  # results share files by hard links
                    seen.add(state.st_ino)
                    total += state.st_blocks * 512
    return total
