"""`lab.work`: the learner's own files and programs, in the workspace on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_lab.base import entries, untrusted
from mlops_lab.base.errors import LabError
from mlops_lab.checks import current
from mlops_lab.checks.observation import Observation, Unmet
from mlops_lab.checks.rooms.builds import ImageBuilds, image_builds

# s; watchers have heard by then of what a program changed last
_HEARD_AFTER = 1.0


@dataclass(frozen=True)
class Command:
    """The learner's own command after its end: exit code (None: it was killed at its limit), output, seconds."""

    code: int | None
    output: str
    seconds: float

    def observed(self, right: bool, expected: str) -> Observation:
        """Whether it ended as expected, with how it did and its last lines; the value is the seconds it took."""
        how = "stopped by the checker" if self.code is None else f"exit code {self.code}"
        lines = tuple(self.output.splitlines()[-5:])
        return Observation(right, expected, f"{how} after {self.seconds:.0f} s", self.seconds, lines)


class Work:
    """The workspace.

    Args:
        registry: the prefix of image names, such as `localhost:5001`.
        settings: the variables by which programs in the cluster find the platform.
    """

    def __init__(self, folder: Path, namespace: str, registry: str, settings: Mapping[str, str]) -> None:
        self._folder, self._kubeconfig = folder, folder / ".lab" / "kubeconfig"
        self._namespace, self._registry, self._settings = namespace, registry, settings
        self._programs: set[object] = set()

    @property
    def folder(self) -> Path:
        """The folder with the learner's files.

        Raises:
            Failure: it holds what is none of its own: a link that leads out of it, a pipe, a socket or a device.
        """
        if seen := entries.strange(self._folder):
            raise Unmet(
                Observation(False, "a workspace of plain files and folders", seen),
                "the checker takes what lies in the lab's folder itself, on any machine: put the file there instead of "
                "the link (cp -L), and take out what is no file",
            )
        return self._folder

    async def command(
        self, *words: str, within: float, env: Mapping[str, str] | None = None, cluster: bool = False
    ) -> Command:
        """Run a program of the learner's, in the workspace.

        It knows of this process's environment what a program needs to be found and to run, and nothing else.

        Args:
            within: seconds, after which it is killed.
            env: variables beside those settings that are names. The platform's addresses are of use in the cluster
                only; what runs here gets them from `lab.platform.address(...)`.
            cluster: the task says that it talks to the cluster, so it gets a kubeconfig for the lab's namespace.

        Raises:
            Failure: the file is not there or cannot be started, or see `folder`.
        """
        folder = self.folder
        program = folder / words[0]
        names = {key: value for key, value in self._settings.items() if not value.startswith("http")}
        current.trace().ran_here, began = True, time.monotonic()
        with current.waits(), self._running_program(), tempfile.TemporaryDirectory(prefix="mlops-lab-home-") as home:
            environment = {
                **untrusted.environment(Path(home)), **names, **(env or {}),
                **({"KUBECONFIG": str(self._kubeconfig)} if cluster else {}),
            }  # fmt: skip
            try:
                done = await untrusted.run([program, *words[1:]], within=within, cwd=folder, env=environment)
            except OSError as trouble:
                raise Unmet(
                    Observation(False, f"a program {words[0]} in the workspace", f"{trouble.strerror}: {program}"),
                    "the checker starts it as the delivery pipeline would: it must exist, be executable (chmod +x) "
                    "and begin with a line such as #!/usr/bin/env python3",
                ) from trouble
        if done.code is None:
            current.trace().ran_out(began)
        return Command(done.code, done.output, done.seconds)

    @contextlib.contextmanager
    def copy(self, without: str = "") -> Iterator[Work]:
        """A copy of the workspace while the block runs, for a program of the learner's that writes files.

        What is written into the workspace itself `lab watch` would take for the learner's doing, and check again.

        Args:
            without: a file at its top that the program is to make, which is not copied.

        Raises:
            Failure: a file may not be read, or see `folder`.
            LabError: it can't be copied for another reason.
        """
        source = self.folder

        def left_out(folder: str, names: list[str]) -> set[str]:
            return _left_out(folder, names) | ({without} if Path(folder) == source else set())

        with tempfile.TemporaryDirectory(prefix="mlops-lab-") as folder:
            try:
                shutil.copytree(source, folder, symlinks=True, ignore=left_out, dirs_exist_ok=True)
            except OSError as trouble:
                reason = str(trouble)
                if os.strerror(errno.EACCES) not in reason:  # no room, say, or a file that an editor has just moved
                    raise LabError(f"the workspace can't be copied: {reason[:300]}", "check again") from trouble
                raise Unmet(
                    Observation(False, "a workspace whose files can be read", reason[:300]),
                    "the checker works on a copy of the folder. A file that a container wrote may belong to root: give "
                    "it to yourself (sudo chown), or take it out",
                ) from trouble
            work = Work(Path(folder), self._namespace, self._registry, self._settings)
            work._programs, work._kubeconfig = self._programs, self._kubeconfig
            yield work

    def pipeline(self, file: str) -> dict[str, Any]:
        """A compiled pipeline in the workspace, as `lab.platform.pipelines.start` takes it.

        Raises:
            Failure: there is no such file, or it is none.
        """
        from mlops_lab.measure.services.pipelines import LARGEST, package

        path = self.folder / file
        try:
            return package(entries.text(path, LARGEST + 1))
        except (OSError, ValueError) as wrong:
            seen = f"{wrong.strerror}: {file}" if isinstance(wrong, OSError) else str(wrong).splitlines()[0]
            raise Unmet(
                Observation(False, f"a compiled pipeline {file} in the workspace", seen),
                "kfp.compiler.Compiler().compile(pipeline, package_path) writes it; a relative path is one from the "
                "folder that the program was started in",
            ) from wrong

    def image_builds(self) -> AbstractAsyncContextManager[ImageBuilds]:
        """Images built of the learner's Dockerfile, `async with` the block; see `checks.rooms.builds`.

        Raises:
            LabError: no engine is here, or the cluster does not pull from this machine's registry.
        """
        return image_builds(self._registry, self._namespace)

    @property
    def runs_program(self) -> bool:
        """Whether a program of the learner's runs (`command`), or did a second ago: what changes then is its doing."""
        return bool(self._programs)

    @contextlib.contextmanager
    def _running_program(self) -> Iterator[None]:
        loop, program = asyncio.get_running_loop(), object()
        self._programs.add(program)
        try:
            yield
        finally:
            loop.call_later(_HEARD_AFTER, self._programs.discard, program)


def _left_out(folder: str, names: list[str]) -> set[str]:
    """Of a folder's entries those that no copy of the workspace needs or can have."""
    gone = {name for name in names if not os.path.lexists(Path(folder, name))}  # an editor's
    return entries.left_out(folder, names) | gone
