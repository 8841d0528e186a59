"""What a model's parameters are, and which names of theirs a run may log them by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlops_lab.kube.client import Object

from .recorded import same

Texts = Mapping[str, str]


@dataclass(frozen=True)
class Parameters:
    """The parameters of a model.

    Attributes:
        whole: all plain ones, by the names that the model's get_params() gives them.
        own: those of the classifiers in it, by the names that begin with the steps which lead there.
        chosen: of these what was set.
        kinds: the classifiers, outer before inner.
        search: those of the search that has found the model, if one has.
    """

    whole: Texts
    own: Texts
    chosen: Texts
    kinds: str
    search: Texts

    def values(self, logged: str) -> list[str]:
        """What a logged name may mean: a full name, or the end of one of a classifier's; a search logs `best_`."""
        name = logged.removeprefix("best_")
        if name in self.whole and "__" in name:
            return [self.whole[name]]
        found = {value for full, value in self.own.items() if name in ends(full)}
        return sorted(found | {each[name] for each in (self.whole, self.search) if name in each})

    def missing(self, logged: Texts) -> list[str]:
        """What was set and is not logged by any of its names with its value."""
        known = {name.removeprefix("best_"): value for name, value in logged.items()}
        return [
            f"{full.rpartition('__')[2]}={value}"
            for full, value in self.chosen.items()
            if not any(name in known and same(known[name], value) for name in ends(full))
        ]


def ends(full: str) -> list[str]:
    """The names that may stand for a full one: `a__b__c`, `b__c` and `c`."""
    parts = full.split("__")
    return ["__".join(parts[place:]) for place in range(len(parts))]


def parameters(said: Object) -> Parameters | None:
    """Those that a model's process has told of; None if it told of none."""
    classifiers = said.get("classifiers")
    if "error" in said or not isinstance(classifiers, list) or not classifiers:
        return None
    own: dict[str, str] = {}
    chosen: dict[str, str] = {}
    kinds = []
    for each in classifiers:
        if not isinstance(each, dict):
            return None
        path = str(each.get("path", ""))
        kinds.append(str(each.get("kind"))[:80])
        own |= {path + name: value for name, value in _texts(each.get("params")).items()}
        chosen |= {path + name: value for name, value in _texts(each.get("set")).items()}
    return Parameters(_texts(said.get("params")), own, chosen, ", ".join(kinds[:4]), _texts(said.get("search")))


def _texts(found: Any) -> dict[str, str]:
    return {str(name): str(value)[:300] for name, value in found.items()} if isinstance(found, dict) else {}
