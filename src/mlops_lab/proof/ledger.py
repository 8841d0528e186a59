"""What `lab verify` found, kept as JSON after every step, so that it can go on where it was interrupted.

A step counts only for the content that it was made with: the lab's whole one, or what that step rests on of another one
(`content.Key`). The file stays on this machine; what the repository keeps of it is in `proofs`. Several verifications
may write at once: each merges its lab into the file under a lock.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import msgspec

from mlops_lab.base.errors import LabError
from mlops_lab.base.paths import state
from mlops_lab.base.state_files import cached, write
from mlops_lab.checks.verdicts import Result
from mlops_lab.proof.content import Key

HONEST, DISHONEST, ENVIRONMENT = "honest", "dishonest", "environment"


@dataclass
class Done:
    """One step of a verification.

    Attributes:
        outcome: `honest`, `dishonest` (the lab's own fault) or `environment` (nothing is known).
        says: the complaints, each a sentence.
        results: every check's result, in full.
    """

    step: str
    outcome: str
    says: list[str] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    seconds: float = 0.0
    at: str = ""

    def plain(self) -> dict[str, Any]:
        """This as plain data."""
        return {**vars(self), "results": [result.plain() for result in self.results]}


class _Entry(TypedDict):
    key: str
    steps: dict[str, Done]
    rests: NotRequired[dict[str, str]]  # what each step rests on
    verified: NotRequired[bool]


class Ledger:
    """The file of the last results."""

    def __init__(self, file: Path | None = None) -> None:
        self.file = file or state() / "verify.json"

    def steps(self, lab: str, key: str) -> dict[str, dict[str, Any]]:
        """What is known of a lab, by step, but for steps that rest on what changed since."""
        steps: dict[str, dict[str, Any]] = _still(self.read()["labs"].get(lab, {}), key)["steps"]
        return steps

    def forget(self, lab: str, key: str, steps: Sequence[str]) -> None:
        """Drop what is known of some steps of a lab, and of those that rest on what changed."""
        with self._changing() as whole:
            whole["labs"][lab] = _still(whole["labs"].get(lab, {}), key, steps)

    def keep(self, lab: str, key: str, *steps: Done, wanted: Sequence[str]) -> None:
        """Write down one step or several; `wanted` are all that make the lab verified."""
        with self._changing() as whole:
            entry = _still(whole["labs"].get(lab, {}), key)
            for done in steps:
                entry["steps"][done.step], entry["rests"][done.step] = done.plain(), _of(key, done.step)
            entry["verified"] = all(entry["steps"].get(step, {}).get("outcome") == HONEST for step in wanted)
            whole["labs"][lab] = entry

    def read(self) -> dict[str, Any]:
        """The whole file, without the labs whose entries are damaged; an empty one if there is none or all of it is.

        What is lost so is proved again.
        """
        labs = (cached(self.file, dict) or {}).get("labs")
        found = labs.items() if isinstance(labs, dict) else ()
        return {"labs": {lab: entry for lab, entry in found if _fits(entry)}}

    def seconds(self) -> dict[str, float]:
        """How long each lab's steps took in all when they were done last, whatever has changed since."""
        return {
            lab: sum(float(step.get("seconds", 0)) for step in entry.get("steps", {}).values())
            for lab, entry in self.read()["labs"].items()
            if entry.get("steps")
        }

    @contextlib.contextmanager
    def _changing(self) -> Iterator[dict[str, Any]]:
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with self.file.with_suffix(".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                whole = self.read()
                yield whole
                write(self.file, json.dumps(whole, indent=1, ensure_ascii=False))
        except OSError as trouble:
            raise LabError(f"{self.file} cannot be written: {trouble}", "see that the disk has room") from trouble


def _of(key: str, step: str) -> str:
    return key.of(step) if isinstance(key, Key) else key


def _still(entry: Mapping[str, Any], key: str, but: Sequence[str] = ()) -> dict[str, Any]:
    """A lab's entry with the steps that hold for a content, without some of them."""
    steps, rests = entry.get("steps", {}), entry.get("rests", {})
    if entry.get("key") != key:
        steps = {name: each for name, each in steps.items() if rests.get(name) == _of(key, name)}
    steps = {name: each for name, each in steps.items() if name not in but}
    return {"key": str(key), "steps": steps, "rests": {name: _of(key, name) for name in steps}}


def _fits(entry: Any) -> bool:
    try:
        msgspec.convert(entry, _Entry)
    except msgspec.ValidationError:
        return False
    return True
