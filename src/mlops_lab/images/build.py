"""Bring images: decide how (pull, build, or as a bundle had them), then work off the steps as the cores allow.

Several commands may do so at once. Each step is made by one of them, and the others wait for that step only; a command
that lacks nothing waits for nobody. What a run made stays when it is interrupted, so the next one goes on from there.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

from mlops_lab.base.errors import LabError
from mlops_lab.base.paths import cache
from mlops_lab.base.processes import end, start
from mlops_lab.base.progress import Progress
from mlops_lab.base.state_files import write
from mlops_lab.engine.docker import CLIENT_ENV, Docker
from mlops_lab.images.bundle import loaded as bundles
from mlops_lab.images.catalog import CATALOG, sources
from mlops_lab.images.sources import Mode, Sources, host
from mlops_lab.images.steps import Step, closure
from mlops_lab.images.store import Store, elsewhere
from mlops_lab.images.work import Stopped, Work

# Bytes of disk. A first build, for Go's caches, results and the engine's copies; the doctor asks for as much.
_BUILD_ROOM = 10e9
_ROOM = 2e9  # what is pulled, or built without the large compilations
_PROBE = 5.0  # seconds that a registry has to answer in


def bring(
    names: list[str],
    mode: Literal["auto", "pull", "build"],
    docker: Docker,
    progress: Progress,
    mirror: str = "",
    also: tuple[Callable[[Sources], Step], ...] = (),
    offline: bool = False,
) -> dict[str, Step]:
    """Have these images of the catalog in the engine; those that a bundle brought may be in the registry alone.

    Args:
        names: names of the catalog.
        mode: auto uses what was brought before; else it pulls if a registry answers within 5 s, and builds if not.
            Where images come from a bundle it asks nobody: what is not there is an error.
        mirror: a registry prefix to pull from.
        also: makers of other steps to work off beside them, such as a program for this host.
        offline: they are for a place where nodes can pull nothing else.

    Returns:
        For each name its step, whose `ref` is the image's name in the engine; none for what nodes pull by themselves
        (`Image.stands_in`).

    Raises:
        LabError: an image can't be pulled or built.
    """
    bundle = bundles.loaded() if mode == "auto" else None
    store = Store(docker, elsewhere=bundle.refs if bundle else frozenset())
    chosen = (
        sources(bundle.mode, docker.arch, offline=True)
        if bundle
        else _settle(names, mode, docker, store, mirror, offline, progress)
    )
    wanted = {name: chosen.image(name) for name in names if chosen.brings(name)}
    run_steps([*wanted.values(), *(step(chosen) for step in also)], docker, store, progress, asked=mode != "auto")
    if mode != "auto":
        bundles.forget()
    _remember(chosen.mode, mirror)
    return wanted


def run_steps(wanted: list[Step], docker: Docker, store: Store, progress: Progress, *, asked: bool = False) -> None:
    """Make what is missing of these steps and of what they need.

    Args:
        asked: the user has said how they are to come, so also where images came from a bundle.

    Raises:
        LabError: a step failed; those beside it were stopped, those done stay done. Or a bundle should have had it.
        KeyboardInterrupt: the user (or a SIGTERM) ended it; no program of it goes on.
    """
    if missing := _missing(wanted, store):
        bundle = None if asked else bundles.loaded()
        if bundle:
            raise bundle.lacks([step.image or step.name for step in wanted if not store.has(step)])
        _check_room(missing)
        with store.used(progress.say):
            _Run(_missing(wanted, store), docker, store, progress).work()
    for step in closure(wanted):
        if not step.image and store.has(step):
            store.use(step)


class _Run:
    def __init__(self, todo: list[Step], docker: Docker, store: Store, progress: Progress) -> None:
        self._todo, self._docker, self._store, self._progress = dict.fromkeys(todo), docker, store, progress
        self._guess = {step: store.times().get(step.name, step.seconds) for step in todo}
        self._room = max(2, os.cpu_count() or 1)  # one heavy step and light ones beside it
        self._running: dict[Step, float] = {}
        self._change = threading.Condition()
        self._stop = threading.Event()
        self._failed: BaseException | None = None

    def work(self) -> None:
        threads: list[threading.Thread] = []
        try:
            with self._progress.showing(self._left), self._change:
                while (self._todo or self._running) and not self._failed:
                    step = self._next()
                    if step is None:
                        self._change.wait(1)
                        continue
                    del self._todo[step]
                    self._running[step] = time.monotonic()
                    threads.append(threading.Thread(target=self._make, args=(step,), daemon=True))
                    threads[-1].start()
        finally:
            self._stop.set()
            for thread in threads:
                thread.join(20)
        if self._failed:
            raise self._failed

    def _next(self) -> Step | None:
        """The ready step with the longest way to go, if there is room for it."""
        if len(self._running) >= self._room:
            return None
        open_ = {*self._todo, *self._running}
        heavy = any(step.heavy for step in self._running)
        ready = [
            step
            for step in self._todo
            if not open_.intersection((*step.needs, *step.after)) and not (heavy and step.heavy)
        ]
        return max(ready, key=self._way, default=None)

    def _way(self, step: Step) -> float:
        rest = [self._way(other) for other in self._todo if step in (*other.needs, *other.after)]
        return self._guess[step] + max(rest, default=0)

    def _left(self) -> float:
        """Seconds to go: the heavy steps one after another, or the light ones two at a time, whichever is longer."""
        with self._change:
            now = time.monotonic()
            rest = {step: self._guess[step] for step in self._todo}
            rest |= {step: max(1, self._guess[step] - (now - begin)) for step, begin in self._running.items()}
        heavy = sum(seconds for step, seconds in rest.items() if step.heavy)
        last = max((self._guess[step] for step in rest if not step.heavy), default=0)
        return max(heavy + last, sum(rest.values()) / self._room)

    def _make(self, step: Step) -> None:
        try:
            with self._store.making(step, self._progress.say, self._stop) as mine:
                if not mine:
                    return
                with self._progress.piece(step.name):
                    begin = time.monotonic()
                    part = self._store.begin(step)
                    step.make(Work(step, part, self._docker, self._store, self._stop))
                    if self._stop.is_set():
                        raise Stopped
                    self._store.finish(step, part, time.monotonic() - begin)
        except Stopped:
            pass
        except BaseException as error:
            self._failed = self._failed or error
            self._stop.set()
        finally:
            with self._change:
                self._running.pop(step, None)
                self._change.notify_all()


def not_pulled(mirror: str = "") -> str:
    """Why the smallest published image can't be pulled, in the engine's words; empty if it begins to come in 5 s."""
    smallest = min((image for image in CATALOG.values() if image.published), key=lambda image: len(image.name))
    ref = smallest.pull_ref(mirror)
    refusal = _refusal(ref)
    return f"{ref.partition('@')[0]}: {refusal}" if refusal else ""


def silent(names: Iterable[str]) -> list[str]:
    """The registries of these published images that don't answer the engine's pull within 5 s, by host, sorted."""
    probes: dict[str, str] = {}  # one image of each
    for name in sorted(names, key=len):
        probes.setdefault(host(name) or "docker.io", name)
    with ThreadPoolExecutor(len(probes) or 1) as pool:
        refusals = dict(zip(probes, pool.map(_refusal, probes.values()), strict=True))
    return sorted(registry for registry, refusal in refusals.items() if refusal)


def refused(names: Iterable[str]) -> list[str]:
    """Those of these published images that the engine's pull does not find within 15 s, while others of the same
    registries may come."""
    wanted = sorted(names)
    with ThreadPoolExecutor(4) as pool:
        refusals = dict(zip(wanted, pool.map(lambda name: _refusal(name, 3 * _PROBE), wanted), strict=True))
    return [name for name, refusal in refusals.items() if refusal]


def _refusal(ref: str, within: float = _PROBE) -> str:
    """Why a registry does not begin to serve this image in time, for the engine's processor; empty if it does."""
    with tempfile.TemporaryFile() as said:
        pull = start(["docker", "pull", ref], stdout=subprocess.PIPE, stderr=said, env=CLIENT_ENV)
        answer: list[bytes] = []

        def read() -> None:
            assert pull.stdout
            answer.append(pull.stdout.readline())  # "3: Pulling from library/registry": the manifest was found
            answer.append(pull.stdout.readline())  # a layer, or nothing more where there is none for this processor

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        reader.join(within)
        failed = False
        if len(answer) == 2 and not answer[1]:  # it ends by itself
            with contextlib.suppress(subprocess.TimeoutExpired):
                failed = pull.wait(within) != 0
        end(pull)
        if not failed and b"ulling from" in b"".join(answer):
            return ""
        said.seek(0)
        lines = said.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"no answer within {within:g} s"


def _settle(
    names: list[str],
    mode: Literal["auto", "pull", "build"],
    docker: Docker,
    store: Store,
    mirror: str,
    offline: bool,
    progress: Progress,
) -> Sources:
    if mode != "auto":
        return sources(mode, docker.arch, mirror, offline)
    if before := _as_before(names, docker, store, mirror, offline):
        return before
    if why := not_pulled(mirror):
        progress.say(f"images are built, as they can't be pulled: {why}")
    return sources("build" if why else "pull", docker.arch, mirror, offline)


def _as_before(names: list[str], docker: Docker, store: Store, mirror: str, offline: bool) -> Sources | None:
    """How the images came the last time, if all of these are there."""
    last = last_mode()
    if last is None:
        return None
    before = sources(last, docker.arch, mirror, offline)
    return before if all(store.has(before.image(name)) for name in names if before.brings(name)) else None


def _missing(wanted: list[Step], store: Store) -> list[Step]:
    """The steps to work off: those not there, and only as far as something that is not there needs them."""
    todo: dict[Step, None] = {}

    def visit(step: Step) -> None:
        if step not in todo and not store.has(step):
            todo[step] = None
            for needed in step.needs:
                visit(needed)

    for step in wanted:
        visit(step)
    return [step for step in closure(wanted) if step in todo]


def _check_room(missing: list[Step]) -> None:
    root = cache()
    root.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(root).free
    heavy = any(step.heavy for step in missing)
    if free < (need := _BUILD_ROOM if heavy else _ROOM):
        what = "building" if heavy else "bringing"
        raise LabError(
            f"only {free / 1e9:.1f} GB of disk are free at {root}; {what} images needs {need / 1e9:.0f} GB",
            f"free some space, or {elsewhere()}",
        )


def _mode_file() -> Path:
    return cache() / "build" / "mode"


def last_mode() -> Mode | None:
    """How images came the last time, also those of a bundle."""
    if bundle := bundles.loaded():
        return bundle.mode
    with contextlib.suppress(OSError):
        text = _mode_file().read_bytes()
        if text in (b"pull", b"build"):
            return "pull" if text == b"pull" else "build"
    return None


def _remember(mode: Mode, mirror: str) -> None:
    if not mirror and last_mode() != mode:
        write(_mode_file(), mode)
