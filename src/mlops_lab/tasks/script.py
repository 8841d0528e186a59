"""Scripts of a task: its set-up, and a solution's `answer.sh`, which does what a candidate would type."""

from __future__ import annotations

from pathlib import Path

from mlops_lab.base.processes import Completed, run
from mlops_lab.labs.variants import put_to_work
from mlops_lab.tasks.place import Place

ANSWER = "answer.sh"
_ANSWERED_WITHIN = 300.0
# Scripts that make the second cluster's nodes whole: a set-up calls them as `bash "$MEND/worker.sh"`.
_MEND = Path(__file__).parent / "mend"


def run_script(file: Path, place: Place, workspace: Path, *, within: float, hint: str) -> Completed:
    """Run a script with bash in the workspace: kubectl has the task's namespace, `ssh NODE` leads to a node.

    Args:
        within: seconds.
        hint: what to do when it fails.

    Raises:
        LabError: it failed, with what it printed; or took too long.
    """
    own = {"KUBECONFIG": str(workspace / ".lab" / "kubeconfig"), "MEND": str(_MEND)}
    env = {**place.environment, **own}
    return run(["bash", "-euo", "pipefail", file], within=within, cwd=workspace, env=env, hint=hint)


def answer(place: Place, workspace: Path) -> None:
    """Put what lies in a workspace to work: the YAML files at its top are applied, then `answer.sh` is run.

    Raises:
        LabError: kubectl refuses, or the script failed; with its output.
    """
    put_to_work(workspace)
    if (script := workspace / ANSWER).is_file():
        run_script(script, place, workspace, within=_ANSWERED_WITHIN, hint="read what the script printed")
