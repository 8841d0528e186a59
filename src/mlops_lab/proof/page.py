"""docs/proofs.md: the page of what is proved of each lab, made of the data beside the labs and of nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mlops_lab.base.locking import alone
from mlops_lab.base.paths import project, state
from mlops_lab.base.progress import spell
from mlops_lab.base.state_files import write as write_whole
from mlops_lab.labs.catalog import Exercise, exercises
from mlops_lab.proof.proofs import SHORT, WHOLE, Proof, part, proofs

_HEAD = """\
# Proofs

When each lab was last proved to be honest. `lab verify` keeps this page and the files `labs/*/proof.json` that it is
made of; commit them with the change that they prove. `lab proofs` says which of them still hold: a proof speaks of the
content that it was made with, and of no other. [Labs by turns](develop.md#labs-by-turns) says what that content is.

Whole: an untouched start, each solution twice, each mistake, a reset, an outage. Short: an untouched start, one
solution and one mistake. Steps: how many of the whole's were honest with the content that the lab was worked on with
last; `lab verify NN --resume` does the others.

| lab | whole | took | content | short | took | content | steps |
|---|---|---|---|---|---|---|---|
"""


_TASKS = """
## Tasks of the exams

`lab exam prove` keeps `labs/exam/*/proof.json`: an untouched start, each solution, the clearing away, and each mistake,
every step with names, numbers and faults of its own. `lab exam prove --resume` proves those that have changed.

| task | proved | took | content |
|---|---|---|---|
"""


def page(labs: Sequence[Exercise], tasks: Sequence[Exercise] = ()) -> str:
    """The page's text."""
    text = _HEAD + "".join(f"| {each.slug} | {_cells(each)} |\n" for each in labs)
    rows = [f"| {each.name} | {_cell(proofs(each).get(WHOLE))} |\n" for each in tasks]
    return text + (_TASKS + "".join(rows) if rows else "")


def bank(root: Path) -> list[Exercise]:
    """The tasks below a folder of labs, by name."""
    return [Exercise(file.parent, file.parent.name, file.parent.name) for file in sorted(root.glob("exam/*/task.toml"))]


def write(folder: Path | None = None) -> None:
    """Write the page, if the project is a clone.

    Args:
        folder: the folder of docs; the project's own if not given.

    Raises:
        LabError: it cannot be written.
    """
    file = (folder or project() / "docs") / "proofs.md"
    if not file.parent.is_dir():  # installed from a wheel, which has no docs
        return
    # Verifications side by side each write it: the last one has to have read what all of them found.
    with alone(state() / "proofs.lock", "the page of proofs", lambda text: None):
        labs = project() / "labs"
        write_whole(file, page(exercises(labs), bank(labs)))


def _cells(exercise: Exercise) -> str:
    known, done = proofs(exercise), part(exercise)
    steps = f"{done.done} of {done.of}" if done else "-"
    return " | ".join([*(_cell(known.get(form)) for form in (WHOLE, SHORT)), steps])


def _cell(proof: Proof | None) -> str:
    if proof is None:
        return "never | - | -"
    return f"{proof.at[:16].replace('T', ' ')} | {spell(proof.seconds)} | `{proof.content.key}`"
