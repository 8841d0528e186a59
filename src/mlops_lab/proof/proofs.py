"""What is proved of each lab, kept in the repository: when, how long it took, and with which content.

One file per lab, `labs/NN-name/proof.json`, so that two who prove different labs never write the same file. It is a
summary of the ledger, which has every result and stays on the machine that found them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from mlops_lab.base.state_files import Damaged, kept, write
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


class _Form(TypedDict):
    at: str
    seconds: float
    steps: int
    content: dict[str, Any]


def proofs(exercise: Exercise) -> dict[str, Proof]:
    """What is proved of a lab, by form: `whole` and `short`; a form that was never proved is not in it.

    Raises:
        Damaged: the file can't be made sense of.
    """
    file, what = exercise.folder / KEPT, f"the proof of lab {exercise.number}"
    todo = "take it from the repository again, or delete it and verify the lab"
    whole = kept(file, dict[str, _Form], what, todo) or {}
    try:
        return {
            form: Proof(it["at"], it["seconds"], it["steps"], Content(**it["content"])) for form, it in whole.items()
        }
    except TypeError as other:
        raise Damaged(file, what, f"is of another version ({other})", todo) from other


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
    plain = {form: {**vars(now[form]), "content": now[form].content.plain()} for form in (WHOLE, SHORT) if form in now}
    write(exercise.folder / KEPT, json.dumps(plain, indent=2) + "\n")
    return True
