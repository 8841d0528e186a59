"""What there is of a task in MLflow when the candidate begins: `setup/history.py` makes it, where MLflow's server runs.

That program imports what it asks by from `mlops_lab.tasks.mlflow_rest`, which goes with it: the server's image has
nothing of this package.
"""

from __future__ import annotations

from pathlib import Path

from mlops_lab.base.processes import run
from mlops_lab.platform.releases import RELEASES
from mlops_lab.tasks import mlflow_rest
from mlops_lab.tasks.place import Place
from mlops_lab.tasks.rendering import SETUP, Rendered

FILE = "history.py"
_NAMESPACE = next(each.namespace for each in RELEASES if each.part == "tracking")
_DONE_WITHIN = 120.0


def make(place: Place, rendered: Rendered, workspace: Path) -> None:
    """Make it, if the task has such a program.

    Raises:
        LabError: the program failed, with what it printed; or took too long.
    """
    file = rendered.folder / SETUP / FILE
    if not file.is_file():
        return
    run(
        ["kubectl", f"--namespace={_NAMESPACE}", "exec", "--stdin", "deployment/mlflow", "--", "python3", "-"],
        stdin=program(file), within=_DONE_WITHIN, cwd=workspace,
        env={**place.environment, "KUBECONFIG": str(workspace / ".lab" / "kubeconfig")},
        hint="the task's own program failed; tell its author",
    )  # fmt: skip


def program(file: Path) -> str:
    """A task's program with the module that it imports, as one text."""
    name, text = mlflow_rest.__name__, Path(mlflow_rest.__file__).read_text(encoding="utf-8")
    module = f"sys.modules[{name!r}]"
    return (
        f"import sys, types\n{module} = types.ModuleType({name!r})\nexec({text!r}, {module}.__dict__)\n"
        + file.read_text(encoding="utf-8")
    )
