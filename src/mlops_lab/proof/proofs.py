"""What is proved of each lab, kept in the repository: when, how long it took, and with which content.

One file per lab, `labs/NN-name/proof.json`, so that two who prove different labs never write the same file. It is a
summary of the ledger, which has every result and stays on the machine that found them. Of a lab it also has the steps
that were honest, each with what it rests on: hours of proof may be done in parts, on several machines, and after a
change only what rests on it is done again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

import msgspec

from mlops_lab.base.state_files import Damaged, kept, write
from mlops_lab.labs.catalog import Exercise
from mlops_lab.proof.content import KEPT, Content, Key
from mlops_lab.proof.ledger import DISHONEST, HONEST, Done, Ledger

WHOLE, SHORT = "whole", "short"
# The folder of a project that was installed from a wheel: what is proved there is nobody's to commit.
_INSTALLED = "_project"
_STEP = re.compile(r'\{\s+"at": [^{}]*"rests": [^{}]*\}')


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


class _Step(TypedDict):
    at: str
    seconds: float
    rests: str


class _Steps(TypedDict):
    of: int
    honest: dict[str, _Step]


class _File(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    whole: _Form | None = None
    short: _Form | None = None
    steps: _Steps | None = None


@dataclass(frozen=True)
class Part:
    """How many of the steps of a lab's whole proof were honest when it was worked on last."""

    done: int
    of: int


def proofs(exercise: Exercise) -> dict[str, Proof]:
    """What is proved of a lab, by form: `whole` and `short`; a form that was never proved is not in it.

    Raises:
        Damaged: the file can't be made sense of.
    """
    file = _read(exercise)
    try:
        return {
            form: Proof(it["at"], it["seconds"], it["steps"], Content(**it["content"]))
            for form, it in ((WHOLE, file.whole), (SHORT, file.short))
            if it
        }
    except TypeError as other:
        raise Damaged(exercise.folder / KEPT, _what(exercise), f"is of another version ({other})", _ADVICE) from other


def part(exercise: Exercise, key: Key | None = None) -> Part | None:
    """How much of a lab's whole proof is done; None if no step of it is.

    Args:
        key: only what rests on nothing that has changed since counts then.

    Raises:
        Damaged: the file can't be made sense of.
    """
    steps = _read(exercise).steps
    done = (_holding(steps, key) if key else steps["honest"]) if steps else {}
    return Part(len(done), steps["of"]) if steps and done else None


def adopt(exercise: Exercise, key: Key, ledger: Ledger, wanted: Sequence[str]) -> list[str]:
    """Let the ledger know the steps that hold and that it has not done itself; their names.

    Args:
        wanted: all steps that make the lab verified.

    Raises:
        Damaged: the file can't be made sense of.
        LabError: the ledger cannot be written.
    """
    own = ledger.steps(exercise.slug, key)
    new = [
        Done(name, HONEST, seconds=step["seconds"], at=step["at"])
        for name, step in _holding(_read(exercise).steps, key).items()
        if name not in own
    ]
    if new:
        ledger.keep(exercise.slug, key, *new, wanted=wanted)
    return [done.step for done in new]


def keep(
    exercise: Exercise, steps: Mapping[str, Mapping[str, Any]], content: Content, forms: Mapping[str, Sequence[str]]
) -> bool:
    """Write down what is proved now, and take back what has turned out not to be so; whether anything was written.

    Args:
        steps: what the ledger knows of the lab with this content, by step.
        forms: the steps that each form consists of. Single steps are kept where both forms are given: what has no
            short one is proved in minutes.

    Raises:
        LabError: the file cannot be written.
    """
    if _INSTALLED in exercise.folder.parts:
        return False
    before, by_step = _read(exercise), SHORT in forms and WHOLE in forms
    recorded = _holding(before.steps, content.key) if by_step else {}
    every: dict[str, Mapping[str, Any]] = {name: {**step, "outcome": HONEST} for name, step in recorded.items()}
    # Trouble with the environment says nothing about a step that was honest.
    every |= {name: step for name, step in steps.items() if name not in every or step["outcome"] in (HONEST, DISHONEST)}
    now = dict(proofs(exercise))
    for form, names in forms.items():
        found = [every.get(name, {}) for name in names]
        outcomes = {each.get("outcome") for each in found}
        if outcomes == {HONEST}:
            seconds = round(sum(float(each["seconds"]) for each in found), 1)
            now[form] = Proof(min(str(each["at"]) for each in found), seconds, len(found), content)
        elif DISHONEST in outcomes and form in now and now[form].content == content:
            del now[form]
    plain: dict[str, Any] = {
        form: {**vars(now[form]), "content": now[form].content.plain()} for form in (WHOLE, SHORT) if form in now
    }
    if by_step:
        honest = {
            name: {"at": every[name]["at"], "seconds": every[name]["seconds"], "rests": content.key.of(name)}
            for name in forms[WHOLE]
            if every.get(name, {}).get("outcome") == HONEST
        }
        plain |= {"steps": {"of": len(forms[WHOLE]), "honest": honest}} if honest else {}
    elif before.steps:
        plain["steps"] = before.steps
    if plain == msgspec.to_builtins(before):
        return False
    write(exercise.folder / KEPT, _text(plain))
    return True


_ADVICE = "take it from the repository again, or delete it and verify the lab"


def _what(exercise: Exercise) -> str:
    return f"the proof of lab {exercise.number}"


def _read(exercise: Exercise) -> _File:
    return kept(exercise.folder / KEPT, _File, _what(exercise), _ADVICE) or _File()


def _holding(steps: _Steps | None, key: Key) -> dict[str, _Step]:
    """The steps that are recorded as honest and rest on nothing that has changed since."""
    return {name: step for name, step in steps["honest"].items() if step["rests"] == key.of(name)} if steps else {}


def _text(plain: Mapping[str, Any]) -> str:
    """As JSON, each step in a line of its own: a step more is a line more."""
    text = json.dumps(plain, indent=2, ensure_ascii=False)
    return _STEP.sub(lambda step: " ".join(step.group().split()).replace("{ ", "{").replace(" }", "}"), text) + "\n"
