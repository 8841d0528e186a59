"""Where the results of steps are kept: folders in the cache, images in the engine, and the times they took.

Several commands may make results at once, each step in one of them only: a lock per step, by its name, since its folder
and its log go by that, too. Whoever clears the cache has it alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Set
from pathlib import Path

from mlops_lab.base.locking import alone, among_others, in_turn
from mlops_lab.base.paths import cache
from mlops_lab.base.state_files import cached, write
from mlops_lab.engine.docker import Docker
from mlops_lab.images.steps import Step


class Store:
    """Results of steps.

    Args:
        docker: the engine that holds the images; None when only folders are of interest.
        root: the folder of the cache.
        elsewhere: images, by the engine's name, that count as there although the engine may not have them.
    """

    def __init__(
        self, docker: Docker | None = None, root: Path | None = None, elsewhere: Set[str] = frozenset()
    ) -> None:
        self._docker, self._elsewhere = docker, elsewhere
        self._root = root or cache()
        self._images: set[str] | None = None

    def folder(self, step: Step) -> Path:
        """Where a folder step's result is (or will be)."""
        return self._root / "build" / _plain(step.name) / step.key

    def current(self, name: str) -> Path | None:
        """The result that the last build made or found under this step's name, whatever its key."""
        link = self._root / "build" / _plain(name) / "current"
        return link.resolve() if link.exists() else None

    def log(self, step: Step) -> Path:
        """The log of the step's last run."""
        return self._root / "logs" / f"{_plain(step.name)}.log"

    def has(self, step: Step) -> bool:
        """Is the result there, whole?"""
        if not step.image:
            return self.folder(step).is_dir()
        if self._images is None:
            self._images = set()
            if self._docker:
                listed = self._docker.run("images", "--format", "{{.Repository}}:{{.Tag}}").stdout
                self._images = set(listed.split())
        return step.ref in self._images or step.ref in self._elsewhere

    def has_now(self, step: Step) -> bool:
        """Is the result there, even if another command made it after this one had looked?"""
        if not self.has(step) and step.image and self._docker and self._docker.inspect("image", step.ref):
            assert self._images is not None
            self._images.add(step.ref)
        return self.has(step)

    @contextlib.contextmanager
    def making(self, step: Step, say: Callable[[str], None], stop: threading.Event) -> Iterator[bool]:
        """Hold what no two commands may do at once: make this step, and run a heavy one, which takes all cores.

        Args:
            say: told when another command is at it and this one waits.
            stop: ends the waiting.

        Yields:
            May it be made, and does it have to be? False where another command has made it meanwhile, or `stop` is set.
        """
        with in_turn(self._lock(_plain(step.name)), step.name, say, stop) as first:
            if not first or self.has_now(step):
                yield False
            elif not step.heavy:
                yield True
            else:
                with in_turn(self._lock("heavy"), "something that takes all cores", say, stop) as free:
                    yield free

    @contextlib.contextmanager
    def used(self, say: Callable[[str], None]) -> Iterator[None]:
        """Hold the cache so that nobody clears it; others may use it, too."""
        with among_others(self._lock("all"), "the image cache", say):
            self._images = None  # it may have been cleared while this waited
            yield

    def cleared(self, say: Callable[[str], None]) -> contextlib.AbstractContextManager[None]:
        """Hold the cache alone, to clear it."""
        return alone(self._lock("all"), "the images", say)

    def _lock(self, name: str) -> Path:
        return self._root / "locks" / f"{name}.lock"

    def begin(self, step: Step) -> Path:
        """A fresh folder for a step to work in; what an interrupted run left is cleared away."""
        home = self._root / "build" / _plain(step.name)
        home.mkdir(parents=True, exist_ok=True)
        for left in home.glob("*.part"):
            shutil.rmtree(left, ignore_errors=True)
        part = home / f"{step.key}.part"
        part.mkdir()
        self.log(step).unlink(missing_ok=True)
        return part

    def finish(self, step: Step, part: Path, seconds: float) -> None:
        """Give a result its final name (or, for an image, drop the scratch space) and remember the time it took."""
        if step.image:
            shutil.rmtree(part, ignore_errors=True)
            if self._images is not None:
                self._images.add(step.ref)
        else:
            part.rename(self.folder(step))
        with alone(self._lock("times"), "the times of builds", lambda text: None):
            times = self.times()
            times[step.name] = round(seconds, 1)
            write(self._times, json.dumps(times, indent=1, sort_keys=True))

    def use(self, step: Step) -> None:
        """Note that this result is the one in use."""
        if step.image:
            return
        link = self._root / "build" / _plain(step.name) / "current"
        if not (link.is_symlink() and link.readlink() == Path(step.key)):
            fresh = link.with_name(f"current.{os.getpid()}.{threading.get_ident()}")
            fresh.unlink(missing_ok=True)
            fresh.symlink_to(step.key)
            fresh.replace(link)

    def times(self) -> dict[str, float]:
        """Seconds that each step took on this machine, by name."""
        return cached(self._times, dict[str, float]) or {}

    @property
    def _times(self) -> Path:
        return self._root / "build" / "times.json"


def elsewhere() -> str:
    """How the cache is moved, in words: where MLOPS_LAB_HOME is set, that alone says where it is."""
    if os.environ.get("MLOPS_LAB_HOME"):
        return "move all that is in MLOPS_LAB_HOME to another disk, and name it there"
    return "move the cache with XDG_CACHE_HOME"


def _plain(name: str) -> str:
    return name.replace("/", "-").replace(":", "-")
