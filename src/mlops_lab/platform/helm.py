"""helm on one cluster: install or upgrade, history, roll back, uninstall. Every call has a time limit.

If a release does not become ready, helm rolls it back (`--atomic`), so the old one serves again. If helm must end
early, it gets a signal and time to clean up: killed in the middle, it leaves a release that refuses the next upgrade.
`settle` repairs such a release.
"""

from __future__ import annotations

import contextlib
import json
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlops_lab.base.errors import LabError
from mlops_lab.base.processes import Completed, ended, run, start
from mlops_lab.base.progress import Progress
from mlops_lab.engine.docker import Docker, architecture
from mlops_lab.images.build import run_steps
from mlops_lab.images.catalog import sources
from mlops_lab.images.recipes import helm as recipe
from mlops_lab.images.store import Store

# A driver of the user's own would put releases where this program does not look.
_ENV = {"HELM_DRIVER": "secret"}
_ASIDE = re.compile(r"[IW]\d{4} |WARNING")  # log lines of helm and its client library that are not the reason
STOOD = ("deployed", "superseded")  # what helm calls revisions that were ready
_CLEARING = 150.0  # s that helm may take to roll back after an interrupt


def program(progress: Progress) -> Path:
    """helm: on PATH, built before, or built now (no container engine is needed for that).

    Raises:
        LabError: it could not be built.
    """
    store = Store()
    if found := recipe.path(store):
        return found
    run_steps([recipe.program(sources("build", architecture("")))], Docker({}), store, progress)
    found = recipe.path(store)
    assert found is not None
    return found


class Late(LabError):
    """helm has waited until the limit for a release that did not become ready."""


@dataclass(frozen=True)
class Revision:
    """One revision of a release, as `helm history` tells it; `status` is helm's word, such as deployed."""

    number: int
    status: str
    description: str


@dataclass(frozen=True)
class Helm:
    """helm on one kubeconfig context.

    Args:
        program: the executable.
        context: the kubeconfig context.
        kubeconfig: a file other than the default ones.
    """

    program: Path
    context: str
    kubeconfig: str = ""

    def run(self, *args: str | Path, within: float = 60, check: bool = True) -> Completed:
        """`helm ARGS...`.

        Raises:
            LabError: it failed (with `check`) or took too long.
        """
        hint = "see what is wrong with the cluster: lab status"
        return run([*self._words(), *args], within=within, env=_ENV, check=check, hint=hint)

    def upgrade(
        self,
        release: str,
        chart: Path,
        *,
        files: Sequence[Path] = (),
        values: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
        within: float,
        look: Callable[[], str] = lambda: "",
    ) -> None:
        """Install or upgrade a release (in the namespace of its name) and wait until all of it is ready.

        Args:
            files: values files, the last one wins.
            values: single values as `--set-string` takes them.
            labels: kept at the release's revision.
            within: limit in seconds; what is not ready by then is rolled back.
            look: called every second; text that it returns ends the wait at once, as the reason.

        Raises:
            Late: it was not ready in time.
            LabError: it could not be. In both cases the release is as it was before; the detail is helm's own words.
        """
        rolling_back = "--rollback-on-failure" if self.major >= 4 else "--atomic"
        words = [
            *("upgrade", release, str(chart), "--install", "--namespace", release, "--reset-values"),
            *("--wait", rolling_back, "--timeout", f"{within:g}s", "--history-max", "5"),
            *(word for file in files for word in ("--values", str(file))),
            *(word for key, value in (values or {}).items() for word in ("--set-string", f"{key}={_escaped(value)}")),
            *(word for key, value in (labels or {}).items() for word in ("--labels", f"{key}={value}")),
        ]
        self._watched(words, within, look)

    def template(self, release: str, chart: Path, files: Sequence[Path] = ()) -> str:
        """What a chart would put into the cluster, as YAML; the cluster is not asked.

        Raises:
            LabError: helm can't say.
        """
        words = (word for file in files for word in ("--values", str(file)))
        return self.run("template", release, str(chart), "--namespace", release, *words).stdout

    def history(self, release: str) -> list[Revision]:
        """The release's revisions, oldest first; none where it is not installed."""
        done = self.run("history", release, "--namespace", release, "-o", "json", check=False)
        if done.code != 0:
            if "not found" in done.stderr:
                return []
            raise LabError(
                f"helm can't read the history of {release}", "see what is wrong: lab status", done.stderr.strip()
            )
        return [
            Revision(int(item["revision"]), str(item["status"]), str(item.get("description", "")))
            for item in json.loads(done.stdout)
        ]

    def manifest(self, release: str) -> str:
        """What the release's deployed revision put into the cluster, as YAML; empty where it is not installed."""
        done = self.run("get", "manifest", release, "--namespace", release, check=False)
        if done.code != 0 and "not found" not in done.stderr:
            raise LabError(
                f"helm can't read what {release} consists of", "see what is wrong: lab status", done.stderr.strip()
            )
        return done.stdout if done.code == 0 else ""

    def rollback(self, release: str, number: int, within: float = 180) -> None:
        """Go back to a revision and wait until it is ready."""
        self.run(
            *("rollback", release, str(number), "--namespace", release, "--wait", "--timeout", f"{within:g}s"),
            within=within + 15,
        )

    def uninstall(self, release: str, within: float = 180) -> bool:
        """Remove a release and wait until its pods are gone; was there one?"""
        done = self.run(
            *("uninstall", release, "--namespace", release, "--wait", "--timeout", f"{within:g}s"),
            within=within + 15,
            check=False,
        )
        if done.code != 0 and "not found" not in done.stderr:
            raise LabError(f"helm can't remove {release}", "see what is wrong: lab status", done.stderr.strip())
        return done.code == 0

    def settle(self, release: str) -> bool:
        """Repair a release that helm has left in the middle; is there one afterwards?

        One that never was ready, or that was being removed, goes: helm would not upgrade it any more.
        """
        revisions = self.history(release)
        if not revisions:
            return False
        good = [each.number for each in revisions if each.status in STOOD]
        if not good or revisions[-1].status == "uninstalling":
            self.uninstall(release)
            return False
        if revisions[-1].status.startswith("pending"):
            self.rollback(release, good[-1])
        return True

    @property
    def major(self) -> int:
        """The major version of this helm."""
        found = re.search(r"v(\d+)", run([self.program, "version", "--short"], within=20).stdout)
        return int(found.group(1)) if found else 3

    def _words(self) -> list[str]:
        file = ["--kubeconfig", self.kubeconfig] if self.kubeconfig else []
        return [str(self.program), "--kube-context", self.context, *file]

    def _watched(self, words: list[str], within: float, look: Callable[[], str]) -> None:
        limit = within + _CLEARING
        begin, reason = time.monotonic(), ""
        with tempfile.TemporaryFile() as stderr:
            with ended(
                start([*self._words(), *words], stderr=stderr, env=_ENV), by=signal.SIGINT, within=_CLEARING
            ) as child:
                while True:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        child.wait(1)
                        break
                    if time.monotonic() - begin > limit:
                        raise LabError(f"helm did not end within {limit:g} s", "run the same command again")
                    if not reason and (reason := look()):
                        child.send_signal(signal.SIGINT)  # helm rolls back and ends
            stderr.seek(0)
            said = stderr.read().decode(errors="replace")
        if child.returncode != 0:
            why = "\n".join(line for line in said.strip().splitlines() if not _ASIDE.match(line))
            late = not reason and time.monotonic() - begin >= within
            raise (Late if late else LabError)(reason or "helm failed", "read what helm says above", why)


def _escaped(value: str) -> str:
    """A value as `--set-string` reads it: commas and backslashes separate otherwise."""
    return value.replace("\\", "\\\\").replace(",", "\\,")
