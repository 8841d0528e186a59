"""What a learner asks for, and what became of it: one ConfigMap each in the class's namespace.

Its data says which labs are begun: `lab-10` is JSON, `{"round": 1, "draw": "SEED"}`. Another round is another
beginning; a lab that is not named, or is `"ended": true`, has no namespace. `kit` is JSON, too, `{"round": 1, "hours":
8}`, and another round revokes the kit before. The operator's answer is an annotation: a state, and why, for each of
them.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

import msgspec

from mlops_lab.classroom.operator import names
from mlops_lab.kube.client import Kube, Object

# Of a lab: `ready` is all that a learner can work with.
READY, MAKING, GOING, REFUSED, OVER, TROUBLE = "ready", "making", "going", "refused", "over", "trouble"


class Lab(msgspec.Struct, forbid_unknown_fields=True, frozen=True, omit_defaults=True):
    """A lab that is begun: which beginning, and by which seed its numbers are drawn.

    One that was ended is kept, as the operator may only have its turn once it is begun again: by another round.
    """

    round: int = 1
    draw: str = ""
    ended: bool = False


class Kit(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A token for the cluster: which one, and for how many hours."""

    round: int = 1
    hours: float = 8


@dataclass(frozen=True)
class Wanted:
    """All that a learner asks for, and what can't be read of it, by its key."""

    labs: dict[str, Lab] = field(default_factory=dict)
    kit: Kit | None = None
    broken: dict[str, str] = field(default_factory=dict)
    ended: dict[str, Lab] = field(default_factory=dict)

    def begin(self, lab: str) -> Lab:
        """Another beginning of a lab."""
        before = self.labs.get(lab) or self.ended.get(lab)
        return Lab(before.round + 1, before.draw) if before else Lab()

    def end(self, lab: str) -> Lab | None:
        """The end of a lab; None where it was never begun."""
        before = self.labs.get(lab) or self.ended.get(lab)
        return Lab(before.round, before.draw, ended=True) if before else None


@dataclass(frozen=True)
class State:
    """What became of something that was asked for.

    Attributes:
        seconds: from when it was heard of until it was ready.
    """

    state: str
    why: str = ""
    namespace: str = ""
    seconds: float | None = None


def read(item: Object) -> Wanted:
    """What a learner's ConfigMap says; what can't be read is told, and is no reason to take anything away."""
    labs: dict[str, Lab] = {}
    ended: dict[str, Lab] = {}
    broken: dict[str, str] = {}
    kit: Kit | None = None
    for key, text in sorted((item.get("data") or {}).items()):
        try:
            if key == "kit":
                kit = msgspec.json.decode(text, type=Kit)
            elif key.startswith("lab-"):
                lab = msgspec.json.decode(text, type=Lab)
                (ended if lab.ended else labs)[key.removeprefix("lab-")] = lab
        except msgspec.MsgspecError as wrong:
            broken[key] = str(wrong)
    return Wanted(labs, kit, broken, ended)


def ask(kube: Kube, namespace: str, learner: str, changes: dict[str, Lab | Kit | None]) -> None:
    """Ask for something on a learner's behalf, and leave the rest as it was.

    Args:
        namespace: the class's own.
        changes: by key, `lab-10` or `kit`; None takes it back.

    Raises:
        LabError: the API server does not answer, or refuses.
    """
    data = {key: None if value is None else msgspec.json.encode(value).decode() for key, value in changes.items()}
    name = f"{names.REQUEST}{learner}"
    meta = {"name": name, "namespace": namespace, "labels": {names.PART: "learner", names.LEARNER: learner}}
    there = {key: value for key, value in data.items() if value is not None}
    item = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": there}
    # Whoever else makes it at the same moment has asked for something, too, which stays.
    if kube.find("ConfigMap", name, namespace) or not kube.create(item):
        kube.patch("ConfigMap", name, {"data": data}, namespace)


def states(item: Object | None) -> dict[str, State]:
    """What the operator has said of a learner's ConfigMap, by key."""
    try:
        found: dict[str, Any] = json.loads(names.annotation(item, names.STATUS) or "{}")
        return {key: State(**each) for key, each in found.items()}
    except (ValueError, TypeError, AttributeError):
        return {}


def spelled(found: dict[str, State]) -> str:
    """States as the annotation has them."""
    plain = {
        key: {name: value for name, value in asdict(each).items() if value not in ("", None)}
        for key, each in sorted(found.items())
    }
    return json.dumps(plain, separators=(",", ":"))
