"""`lab.work` of a grader: the learner's files in a folder, and the learner's programs in the third place."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from mlops_lab.base.errors import LabError
from mlops_lab.checks import current
from mlops_lab.checks.observation import Observation, Unmet
from mlops_lab.checks.rooms.work import Command, Work
from mlops_lab.classroom import packing
from mlops_lab.classroom.grader.apart.place import Place, written


class ApartWork(Work):
    """A workspace whose programs never run in this process's pod.

    Args:
        folder, namespace, registry, settings: as for `Work`.
        place: where the programs run.
    """

    def __init__(self, folder: Path, namespace: str, registry: str, settings: Mapping[str, str], place: Place) -> None:
        super().__init__(folder, namespace, registry, settings)
        self._place = place

    async def command(
        self, *words: str, within: float, env: Mapping[str, str] | None = None, cluster: bool = False
    ) -> Command:
        """Run a program of the learner's, in a pod of its own that gets the workspace's files; as `Work.command`.

        What it writes is in the workspace afterwards. A program of the checker's, which is named by its whole path,
        runs here.
        """
        if Path(words[0]).is_absolute():
            return await super().command(*words, within=within, env=env, cluster=cluster)
        folder, stop = self.folder, threading.Event()
        names = {key: value for key, value in self._settings.items() if not value.startswith("http")}
        kubeconfig = self._kubeconfig.read_text("utf-8") if cluster else ""
        with current.waits(), self._running_program():
            try:
                ran = await asyncio.to_thread(
                    self._place.run, folder, words, within=within, env={**names, **(env or {})}, kubeconfig=kubeconfig,
                    stop=stop,
                )  # fmt: skip
            finally:
                stop.set()
        if ran.trouble:
            raise Unmet(
                Observation(False, f"a program {words[0]} in the workspace", f"{ran.trouble}: {words[0]}"),
                "the checker starts it as the delivery pipeline would: it must exist, be executable (chmod +x) "
                "and begin with a line such as #!/usr/bin/env python3",
            )
        if ran.code is None:
            current.trace().ran_out(time.monotonic() - ran.seconds)
        self._take(folder, ran.written, words[0])
        return Command(ran.code, ran.output, ran.seconds)

    @contextlib.contextmanager
    def copy(self, without: str = "") -> Iterator[Work]:
        """As `Work.copy`; programs of the copy run in the third place, too."""
        with super().copy(without) as plain:
            apart = ApartWork(plain._folder, self._namespace, self._registry, self._settings, self._place)
            apart._programs, apart._kubeconfig = self._programs, self._kubeconfig
            yield apart

    @staticmethod
    def _take(folder: Path, packed: bytes, program: str) -> None:
        """Put files into the workspace that a program has written.

        Raises:
            Failure: they are not such as could have been handed in.
            LabError: they can't be written.
        """
        try:
            found = written(packed)
        except packing.Refused as refused:
            raise Unmet(
                Observation(False, f"plain files of {program}", str(refused)),
                "a program may write what could be handed in: regular files, not too many and not too large ones",
            ) from refused
        try:
            for each in found:
                file = folder / each.path
                _make_way(folder, file)
                file.write_bytes(each.content)
                file.chmod(0o755 if each.executable else 0o644)
        except OSError as trouble:
            raise LabError(
                f"what {program} has written can't be kept: {trouble.strerror or trouble}", "it is graded again"
            ) from trouble


def _make_way(folder: Path, file: Path) -> None:
    """Have a file's folders be there, instead of whatever the program has taken away for them."""
    for parent in reversed([each for each in file.parents if each.is_relative_to(folder) and each != folder]):
        if parent.is_symlink() or (parent.exists() and not parent.is_dir()):
            parent.unlink()
        parent.mkdir(exist_ok=True)
    if file.is_symlink():
        file.unlink()
    elif file.is_dir():
        shutil.rmtree(file)
