"""What is proved of each lab, kept in the repository: when, how long it took, and with which content.

One file per lab, `labs/NN-name/proof.json`, so that two who prove different labs never write the same file. It is a
summary of the ledger, which has every result and stays on the machine that found them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mlops_lab.base.errors import LabError
from mlops_lab.labs.catalog import Exercise
from mlops_lab.proof.content import KEPT, Content
from mlops_lab.proof.ledger import DISHONEST, HONEST

WHOLE, SHORT = "whole", "short"
# The folder of a project that was installed from a wheel: what is proved there is nobody's to commit.
_INSTALLED = "_project"


@dataclass(frozen=True)
class Proof:
    """One form of a lab's verification, each step of it honest.

    Attributes:
        at: when the oldest of its steps was done, in ISO 8601.
        seconds: how long all steps took.
        steps: how many they are.
        content: what it was made with.
    """

    at: str
    seconds: float
    steps: int
    content: Content


def proofs(exercise: Exercise) -> dict[str, Proof]:
    """What is proved of a lab, by form: `whole` and `short`; a form that was never proved is not in it.

    Raises:
        LabError: the file is damaged.
    """
    file = exercise.folder / KEPT
    try:
        whole = json.loads(file.read_text(encoding="utf-8"))
        return {
            form: Proof(str(it["at"]), float(it["seconds"]), int(it["steps"]), Content(**it["content"]))
            for form, it in whole.items()
        }
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as broken:
        raise LabError(
            f"{file} cannot be read: {broken}", "take it from the repository again, or delete it and verify the lab"
        ) from broken


def keep(
    exercise: Exercise, steps: Mapping[str, Mapping[str, Any]], content: Content, forms: Mapping[str, Sequence[str]]
) -> bool:
    """Write down what is proved now, and take back what has turned out not to be so; whether anything was written.

    Args:
        steps: what the ledger knows of the lab with this content, by step.
        forms: the steps that each form consists of.

    Raises:
        LabError: the file cannot be written.
    """
    if _INSTALLED in exercise.folder.parts:
        return False
    before = proofs(exercise)
    now = dict(before)
    for form, names in forms.items():
        found = [steps.get(name, {}) for name in names]
        outcomes = {each.get("outcome") for each in found}
        if outcomes == {HONEST}:
            seconds = round(sum(float(each["seconds"]) for each in found), 1)
            now[form] = Proof(min(str(each["at"]) for each in found), seconds, len(found), content)
        elif DISHONEST in outcomes and form in now and now[form].content == content:
            del now[form]
    if now == before:
        return False
    _write(exercise.folder / KEPT, {form: asdict(now[form]) for form in (WHOLE, SHORT) if form in now})
    return True


def _write(file: Path, whole: Mapping[str, Any]) -> None:
    part = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        part.write_text(json.dumps(whole, indent=2) + "\n", encoding="utf-8")
        part.replace(file)
    except OSError as trouble:
        part.unlink(missing_ok=True)
        raise LabError(f"{file} cannot be written: {trouble}", "see that the folder is yours") from trouble
