"""What a step's `make` gets in its hand: a fresh folder, the engine, the results of what it needs, logged programs.

Programs run in a process group of their own, which ends with the step: on an error elsewhere or an interrupt, nothing
of a build goes on behind the user's back.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from mlops_lab.base.errors import LabError
from mlops_lab.base.processes import end, start
from mlops_lab.engine.docker import CLIENT_ENV, Docker
from mlops_lab.images.steps import Step
from mlops_lab.images.store import Store

_TAIL = 30


class Stopped(Exception):
    """The build was told to stop (an interrupt, or another step failed)."""


class Work:
    """The workplace of one step.

    Args:
        step: what is made.
        out: for a folder step, an empty folder that becomes the result; for an image step, scratch space.
        docker: the engine.
        store: where earlier results are.
        stop: set when the build must end.
    """

    def __init__(self, step: Step, out: Path, docker: Docker, store: Store, stop: threading.Event) -> None:
        self.step, self.out, self.docker, self._store, self._stop = step, out, docker, store, stop
        self.arch = docker.arch
        self.log = store.log(step)

    def result(self, step: Step) -> Path:
        """The folder that a folder step (one of `needs`) made; treat it as read-only."""
        return self._store.folder(step)

    def run(
        self,
        args: Sequence[str | Path],
        *,
        within: float = 0,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: Path | str | None = None,
        stdout: Path | None = None,
        hint: str = "",
    ) -> None:
        """Run a program to its end; its output goes to the step's log.

        Args:
            within: limit in seconds; 0 means the step's own.
            stdin: a file to read, or text.
            stdout: a file that gets the program's output instead of the log.

        Raises:
            LabError: it is not installed, failed, or ran out of time; the end of the log is the detail.
            Stopped: the build was told to stop.
        """
        words = [str(arg) for arg in args]
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as sink:
            sink.write(f"$ {' '.join(words)}\n".encode())
            sink.flush()
            source = stdin.open("rb") if isinstance(stdin, Path) else None
            target = stdout.open("wb") if stdout else None
            try:
                child = start(
                    words,
                    stdin=source or (subprocess.PIPE if stdin else subprocess.DEVNULL),
                    stdout=target or sink,
                    stderr=sink,
                    cwd=cwd,
                    env={**CLIENT_ENV, **(env or {})},
                    hint=hint,
                )
            finally:
                for file in (source, target):
                    if file:
                        file.close()
            if isinstance(stdin, str) and child.stdin:
                child.stdin.write(stdin.encode())
                child.stdin.close()
            self._finish(child, within or self.step.within, hint)

    def image(self, context: Path, dockerfile: str, *args: str) -> None:
        """Build this step's image from a context folder and the text of a Dockerfile (COPY and metadata only)."""
        if context.is_relative_to(self.out):  # another step's result holds a whole root as an archive
            _readable_by_all(context)
        file = self.out / "Dockerfile.of-step"
        file.write_text(dockerfile)
        labels = ["--label", f"mlops-lab.step={self.step.name}", "--label", f"mlops-lab.key={self.step.key}"]
        self.run(["docker", "build", "-q", "-t", self.step.ref, "-f", file, *labels, *args, context])

    def context(self, *folders: Path) -> Path:
        """A build context in the step's own folder that holds what the folders hold."""
        context = self.out / "context"
        context.mkdir(exist_ok=True)
        for folder in folders:
            shutil.copytree(folder, context, symlinks=True, dirs_exist_ok=True, copy_function=link)
        return context

    def tail(self) -> str:
        """The end of the log, for an error message."""
        try:
            lines = self.log.read_bytes()[-20_000:].decode(errors="replace").strip().splitlines()
        except FileNotFoundError:
            lines = []
        return "\n".join([*lines[-_TAIL:], f"(whole output: {self.log})"])

    def _finish(self, child: subprocess.Popen[bytes], within: float, hint: str) -> None:
        limit = time.monotonic() + within
        try:
            while child.poll() is None:
                if self._stop.is_set():
                    raise Stopped
                if time.monotonic() > limit:
                    raise LabError(f"{self.step.name}: not done within {within:g} s", hint or "try again", self.tail())
                time.sleep(0.1)
        finally:
            end(child)
        if child.returncode != 0:
            full = shutil.disk_usage(self.out).free < 100 << 20
            raise LabError(
                f"{self.step.name} could not be made (exit code {child.returncode})"
                + ("; the disk is full" if full else ""),
                "free some disk space and run the command again; it goes on where it stopped"
                if full
                else hint or "read its output; running the command again goes on where it stopped",
                self.tail(),
            )


def _readable_by_all(folder: Path) -> None:
    """Let every user read and run what its owner may: an image's user is another one, whatever the umask was here."""
    for root, _, files in os.walk(folder):
        for path in (Path(root), *(Path(root, name) for name in files)):
            mode = path.lstat().st_mode
            owners = mode >> 6 & 0o5
            wanted = mode | owners << 3 | owners
            if wanted == mode or path.is_symlink():
                continue
            if path.is_file():  # a link to a result, which stays as it is
                fresh = path.with_name(f"{path.name}.readable")
                shutil.copy2(path, fresh)
                fresh.replace(path)
            path.chmod(wanted & 0o7777)


def link(source: str | Path, target: str | Path) -> None:
    """Put a file somewhere else without copying it, where the file system can."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target, follow_symlinks=False)
