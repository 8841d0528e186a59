"""Objects of the new kind that are right or wrong, given to the API server without keeping any."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mlops_lab.kit.kubectl import kubectl, printed
from mlops_lab.kube.client import Object
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn

D = drawn(Drawn, __file__)
_VERSION = f"{D.group}/v1"
_RIGHT: dict[str, Any] = {D.number: D.most, D.choice: D.three}
# What is wrong with each, in words, by the object's name.
WRONG: dict[str, tuple[str, Any]] = {
    "trial-less": (f"{D.number} {D.least - 1}", _RIGHT | {D.number: D.least - 1}),
    "trial-more": (f"{D.number} {D.most + 1}", _RIGHT | {D.number: D.most + 1}),
    "trial-half": (f"{D.number} {D.least}.5", _RIGHT | {D.number: D.least + 0.5}),
    "trial-text": (f"{D.number} as a text", _RIGHT | {D.number: str(D.most)}),
    "trial-null": (f"{D.number} null", _RIGHT | {D.number: None}),
    "trial-no-number": (f"no {D.number}", {D.choice: D.one}),
    "trial-choice": (f"{D.choice} {D.one}x", _RIGHT | {D.choice: f"{D.one}x"}),
    "trial-before": (f"{D.choice} x{D.one}", _RIGHT | {D.choice: f"x{D.one}"}),
    "trial-empty": (f"an empty {D.choice}", _RIGHT | {D.choice: ""}),
    "trial-null-choice": (f"{D.choice} null", _RIGHT | {D.choice: None}),
    "trial-no-choice": (f"no {D.choice}", {D.number: D.most}),
    "trial-paused": ("paused as a text", _RIGHT | {"paused": "yes"}),
    "trial-no-spec": ("no spec", None),
}
RIGHT: dict[str, Any] = {
    "trial-least": {D.number: D.least, D.choice: D.one},
    "trial-most": {D.number: D.most, D.choice: D.two},
    "trial-set": {D.number: D.least, D.choice: D.three, "paused": True},
}
_NAMES_WORDS = ("enum", "pattern", "rule")  # fields of a schema that may say which texts are right
_MOST_WORDS = 30


@dataclass(frozen=True)
class Given:
    """What came of an object.

    Attributes:
        refused: the API server's reason; empty if it took the object.
        spec: as it would be kept.
    """

    refused: str
    spec: dict[str, Any]


def fourth(definition: Object) -> dict[str, tuple[str, Any]]:
    """Objects like those of `WRONG`, each with a word that stands in the schema and is none of the three."""
    (schema,) = [each.get("schema") for each in definition["spec"]["versions"] if each["name"] == "v1"]
    found = dict.fromkeys(each for each in _words(schema) if each not in (D.one, D.two, D.three))
    return {
        f"trial-word-{number}": (f"{D.choice} {word}", _RIGHT | {D.choice: word})
        for number, word in enumerate([*found][:_MOST_WORDS])
    }


def _words(schema: Any) -> Iterator[str]:
    if isinstance(schema, list):
        for each in schema:
            yield from _words(each)
    elif isinstance(schema, dict):
        for key, value in schema.items():
            if key in _NAMES_WORDS and isinstance(value, str):
                yield from re.findall(r"[\w-]+", value)
            elif key in _NAMES_WORDS and isinstance(value, list):
                yield from (each for each in value if isinstance(each, str))
            else:
                yield from _words(value)


async def tried(lab: TaskLab, name: str, spec: Any) -> Given:
    """Have the API server look at an object, by its schema and all else, without keeping it."""
    item = {"apiVersion": _VERSION, "kind": D.kind, "metadata": {"name": name}}
    manifest = item if spec is None else item | {"spec": spec}
    words = ("create", "--dry-run=server", "--validate=false", "-o", "json")
    done = await kubectl(lab, *words, manifest=manifest)
    if done.code == 0:
        return Given("", dict(printed(done).get("spec") or {}))
    return Given((done.output.strip().splitlines() or ["no reason"])[-1][:200], {})


async def refused(lab: TaskLab, specs: dict[str, Any]) -> set[str]:
    """Which of several objects the API server finds invalid."""
    items = [
        {"apiVersion": _VERSION, "kind": D.kind, "metadata": {"name": name}} | ({"spec": spec} if spec else {})
        for name, spec in specs.items()
    ]
    manifest = {"apiVersion": "v1", "kind": "List", "items": items}
    done = await kubectl(lab, "create", "--dry-run=server", "--validate=false", "-o", "name", manifest=manifest)
    return {name for name in specs if f'"{name}" is invalid' in done.output}
