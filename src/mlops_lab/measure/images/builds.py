"""Images that the checker builds of the learner's Dockerfile, with this machine's engine, as `docker build` does.

A build gets no network, so much CPU and memory and no more, and has an end: in time, in silence, and in what it prints.
The engine's own builder does it (DOCKER_BUILDKIT=0): BuildKit has no bounds of CPU and memory, and fetches and runs the
frontend that a `# syntax=` line names, which is bound to nothing, the network's absence included. When the builder
closes, its images are gone; of the engine's cache stays what a next build can use, in the registry blobs until it
collects garbage.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
import threading
import time
import uuid
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from mlops_lab.base.errors import LabError
from mlops_lab.base.processes import end, start
from mlops_lab.cluster import names, registry
from mlops_lab.engine.docker import CLIENT_ENV, Docker, answering
from mlops_lab.measure.images import layers

_LONG = 1000  # characters of a line that are looked at
_LINES = 60  # of a build's output that are kept
_PRINTS = 4 << 20  # bytes, after which a build is taken to print for ever
_PUSHED_WITHIN = 300.0
_SAVED_WITHIN = 180.0
CPUS, MEMORY = 2, 2  # that a step may use, in cores and GB
_PERIOD = 100_000  # us, over which its CPU time is counted
_BOUNDS = (
    *("--network", "none", "--cpu-period", str(_PERIOD), "--cpu-quota", str(CPUS * _PERIOD)),
    *("--memory", f"{MEMORY}g", "--memory-swap", f"{MEMORY}g"),
)
_KILLED = "returned a non-zero code: 137"
_STEP = re.compile(r"^Step (?P<number>\d+)/\d+ : (?P<text>.+)")
_OF_STEPS = ("Step ", "#", " --->")
_BUILDKIT = re.compile(r"^#[01] (?:\[|building with)")
_LAYER = re.compile(r"^ ---> (?P<id>[0-9a-f]{12,64})$")
_ENGINE_FAILED = ("Cannot connect to the Docker daemon", "no space left on device", "error during connect")
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


@dataclass
class Steps:
    """What a build's output tells of its steps, line by line.

    What a step prints stands between the builder's own lines, and may look like them. So a line counts where the
    builder writes it: a step's in its turn, and that it was cached right behind that.

    Attributes:
        ran: the instructions that were carried out anew.
        new: ids of the intermediate images that the builder made.
        used: ids of those that it had.
        other: it is BuildKit's output.
    """

    ran: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    used: list[str] = field(default_factory=list)
    other: bool = False
    _number: int = 0
    _begun: bool = False
    _cached: bool = False
    _own: bool = False

    def hear(self, line: str) -> None:
        """Take one line of the output."""
        begun, self._begun = self._begun, False
        if not line.startswith(_OF_STEPS):  # a program may print two million lines
            return
        line = line[:_LONG]  # or 64 KiB without a break
        if (step := _STEP.match(line)) and step["number"] == str(self._number + 1):
            self._number, self._begun, self._cached = self._number + 1, True, False
            # What stands behind a FROM is the base image itself, and not the builder's.
            self._own = not step["text"].upper().startswith("FROM ")
            self.ran.append(step["text"].strip())
        elif begun and line.startswith(" ---> Using cache"):
            self._cached = True
            self.ran[-1:] = []
        elif (layer := _LAYER.match(line)) and self._own:
            (self.used if self._cached else self.new).append(layer["id"])
        elif not self._number and _BUILDKIT.match(line):
            self.other = True


@dataclass(frozen=True)
class Build:
    """One build after its end.

    Attributes:
        image: its name; empty if none was made.
        how: how it ended otherwise, in few words.
        lines: the last that it printed.
        ran: the instructions that were not taken from the cache.
        digests: of the image's layers.
        bytes: of the image, as the engine counts them.
        seconds: it took.
    """

    image: str
    how: str
    lines: tuple[str, ...]
    ran: tuple[str, ...]
    digests: tuple[str, ...]
    bytes: int
    seconds: float


class ImageBuilder:
    """A place to build images; a context manager, whose methods block.

    Args:
        repository: what its images are called in the cluster's registry.

    Raises:
        LabError: no engine answers here, or the cluster does not pull from this machine's registry.
    """

    def __init__(self, prefix: str, repository: str) -> None:
        docker = answering()
        if prefix != names.REGISTRY_PREFIX or docker is None or not registry.answers():
            why = (
                "no Docker engine answers"
                if docker is None
                else "that registry does not answer"
                if prefix == names.REGISTRY_PREFIX
                else f"its images come from {prefix or 'elsewhere'}"
            )
            raise LabError(
                f"this lab builds images on this machine, and the cluster must pull them from {names.REGISTRY_PREFIX}; "
                f"here {why}",
                "use a cluster that `lab up` created on this machine",
            )
        self._docker: Docker = docker
        self._name = f"{prefix}/{repository}"
        self._run = uuid.uuid4().hex[:8]
        self._began = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
        self._images: list[str] = []
        self._steps: list[Steps] = []
        self._stop = threading.Event()

    def __enter__(self) -> ImageBuilder:
        listed = self._docker.run("images", "--format", "{{.Repository}}:{{.Tag}}", self._name).stdout
        for image in listed.split():  # of a run that was killed; two runs in one namespace there are none
            self._drop(image)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._forget()

    def stop(self) -> None:
        """End what is being built; nothing is built any more."""
        self._stop.set()

    def pull(self, image: str) -> None:
        """Have a base image of the cluster's registry in the engine; a builder may keep it where nobody else finds it.

        Raises:
            LabError: the registry does not have it.
        """
        if not registry.digest(image.removeprefix(f"{names.REGISTRY_PREFIX}/")):
            raise LabError(
                f"{image} is not in the cluster's registry", "start the lab again, which brings its images: lab start"
            )
        if self._docker.inspect("image", image) is None:
            self._docker.run("pull", image, within=_PUSHED_WITHIN, hint="see whether the registry runs: lab status")

    def build(self, context: Path, *, within: float, silent: float) -> Build:
        """Build a folder with the Dockerfile in it.

        Args:
            within: seconds, after which the build is ended.
            silent: seconds in which it prints nothing, after which it is ended.

        Raises:
            LabError: the engine itself failed, or has no builder with bounds.
        """
        image = f"{self._name}:{self._run}-{len(self._images) + 1}"
        self._images.append(image)
        steps = Steps()
        self._steps.append(steps)
        began = time.monotonic()
        words = ["docker", "build", *_BOUNDS, "--force-rm", "-t", image, str(context)]
        how, lines = self._work(words, steps, within, silent)
        seconds = time.monotonic() - began
        if steps.other:
            raise LabError(
                "this Docker builds with BuildKit alone, which has no bounds of CPU and memory",
                "undo docker buildx install (docker buildx uninstall), or use a Docker whose DOCKER_BUILDKIT=0 works",
            )
        if how and any(_KILLED in line for line in lines[-3:]):
            how += f", as a process was killed: a step may use {MEMORY} GB of memory"
        if how and any(sign in line for line in lines for sign in _ENGINE_FAILED):
            raise LabError(
                "the engine failed during a build", "check docker info and free disk space", "\n".join(lines)
            )
        found = None if how else self._docker.inspect("image", image)
        digests = tuple((found or {}).get("RootFS", {}).get("Layers") or ())
        size = int((found or {}).get("Size") or 0)
        if not how and found is None:
            how = "the builder made no image"
        return Build("" if how else image, how, lines, tuple(steps.ran), digests, size, seconds)

    def push(self, image: str) -> None:
        """Put an image where the nodes pull it from.

        Raises:
            LabError: the registry does not take it.
        """
        self._docker.run("push", image, within=_PUSHED_WITHIN, hint="see whether the registry runs: lab status")

    def content(
        self, image: str, needles: Mapping[str, bytes] | None = None, skip: tuple[str, ...] = ()
    ) -> layers.Content:
        """What is in an image's layers; arguments as `layers.read`.

        Raises:
            LabError: the engine does not write it out.
        """
        with tempfile.TemporaryDirectory(prefix="mlops-lab-image-") as folder:
            archive = Path(folder) / "image.tar"
            self._docker.run("save", "-o", archive, image, within=_SAVED_WITHIN, hint="check free disk space")
            return layers.read(archive, needles, skip)

    def digests(self, image: str) -> tuple[str, ...]:
        """The digests of an image's layers; none if the engine does not have it."""
        found: dict[str, Any] = self._docker.inspect("image", image) or {}
        return tuple(found.get("RootFS", {}).get("Layers") or ())

    def printed(self, image: str, *words: str, within: float = 60) -> str:
        """What a command prints in a container of a base image, which is gone afterwards.

        Raises:
            LabError: it fails, or does not end.
        """
        name = f"mlops-lab-{uuid.uuid4().hex[:8]}"
        try:
            return self._docker.run(
                *("run", "--rm", "--network", "none", "--name", name, image, *words), within=within
            ).stdout
        except LabError:
            self._docker.run("rm", "-f", name, check=False)
            raise

    def _work(self, words: list[str], steps: Steps, within: float, silent: float) -> tuple[str, tuple[str, ...]]:
        """Run the builder; how it ended if not well, and its last lines."""
        kept: deque[str] = deque(maxlen=_LINES)
        builder = start(
            words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**CLIENT_ENV, "DOCKER_BUILDKIT": "0"}
        )
        assert builder.stdout
        heard = _Heard()
        reader = threading.Thread(target=heard.read, args=(builder.stdout, steps, kept), daemon=True)
        reader.start()
        limit, how = time.monotonic() + within, ""
        try:
            while reader.is_alive() or builder.poll() is None:
                now = time.monotonic()
                if self._stop.is_set():
                    how = "the checker was ended"
                elif steps.other:
                    how = "BuildKit"
                elif now > limit:
                    how = f"not done after {within:.0f} s"
                elif now - heard.last > silent:
                    how = f"nothing printed for {silent:.0f} s, and not done"
                elif heard.bytes > _PRINTS:
                    how = f"printed more than {_PRINTS >> 20} MB, and not done"
                if how:
                    break
                reader.join(0.1)
        finally:
            end(builder, within=15, survivors=bool(how))  # the engine ends a build whose client has gone
        reader.join(5)
        lines = tuple(kept)
        return how or (f"exit code {builder.returncode}" if builder.returncode else ""), lines

    def _forget(self) -> None:
        """Remove what was built, but for those layers that the last build had from the one before.

        A step can print the id of any image, so only what has no name, and is no older than this builder, is removed.
        """
        for image in self._images:
            self._drop(image)
        useful = set(self._steps[-1].used) if self._steps else set()
        made = [each for steps in reversed(self._steps) for each in reversed(steps.new) if each not in useful]
        for each in dict.fromkeys(made):
            found = self._docker.inspect("image", each) or {}
            if not found.get("RepoTags") and str(found.get("Created", "")) >= self._began:
                self._docker.run("rmi", "--no-prune", each, check=False)

    def _drop(self, image: str) -> None:
        """Remove a name in the engine and in the registry; the builder's cache stays."""
        self._docker.run("rmi", "--no-prune", image, check=False)
        registry.forget(image.removeprefix(f"{names.REGISTRY_PREFIX}/"))


class _Heard:
    """What was heard of a builder: how much, and when last."""

    def __init__(self) -> None:
        self.bytes, self.last = 0, time.monotonic()

    def read(self, stream: IO[bytes], steps: Steps, kept: deque[str]) -> None:
        """Take its output, to the end; a line that never ends counts as lines of 64 KiB."""
        while chunk := stream.readline(1 << 16):
            self.bytes += len(chunk)
            self.last = time.monotonic()
            text = chunk.decode(errors="replace")
            line = (_COLOURS.sub("", text) if "\x1b" in text else text).rstrip()
            steps.hear(line)
            if line:
                kept.append(line[:500])
