"""What a model's parameters are, and which names of theirs a run may log them by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlops_lab.kube.client import Object

from .recorded import parts, same

Texts = Mapping[str, str]
# What a search, or a cross-validation, is made with beside an estimator; the first ones tell that there was one.
TELLS = ("cv", "n_iter", "param_distributions", "param_grid", "pre_dispatch", "refit", "return_train_score")
SEARCHES = (*TELLS, "error_score", "factor", "n_jobs", "random_state", "scoring", "verbose")
WITHIN = ("base_estimator", "estimator", "final_estimator")  # which names an estimator, and none of its numbers
COLUMNS = {
    "month", "day", "weekday", "hour", "carrier", "origin", "dest", "distance", "temp", "wind_speed", "precip", "visib",
}  # fmt: skip


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
        """What a logged name may mean: a full name, or the end of one; a search logs `best_`."""
        name = logged.removeprefix("best_")
        if name in self.whole and "__" in name:
            return [self.whole[name]]
        found = {value for full, value in self.own.items() if name in ends(full)}
        if not found and name not in self.search and name not in self.whole:
            return []  # of a step alone that prepares columns
        found |= {value for full, value in self.whole.items() if name in ends(full)}
        return sorted(found | ({self.search[name]} if name in self.search else set()))

    def false(self, logged: Texts) -> list[str]:
        """What is logged by a name that the model has, and with another value, in words.

        Of a search whose best estimator is the model nothing is known. A list of columns is no parameter's value.
        """
        searched = any(name.startswith("best_") or (name in TELLS and not self.values(name)) for name in logged)
        beside = {*WITHIN, *(SEARCHES if searched else ())}
        return [
            f"{name} is {value}, the model has {' or '.join(has)}"
            for name, value in logged.items()
            if (has := self.values(name)) and not any(same(value, one) for one in has)
            if name not in beside and not of_columns(value)
        ]

    def missing(self, logged: Texts) -> list[str]:
        """What was set and is not logged by any of its names with its value; a search has them as its `estimator`'s."""
        known = {name.removeprefix("best_"): value for name, value in logged.items()}
        outer = "estimator__" if self.search else ""
        return [
            f"{full.rpartition('__')[2]}={value}"
            for full, value in self.chosen.items()
            if not any(name in known and same(known[name], value) for name in (*ends(full), outer + full))
        ]


def of_columns(value: str) -> bool:
    """Is it a list of the flights' columns?"""
    names = set(parts(value))
    return bool(names) and names <= COLUMNS


def ends(full: str) -> list[str]:
    """The names that may stand for a full one: `a__b__c`, `b__c` and `c`."""
    names = full.split("__")
    return ["__".join(names[place:]) for place in range(len(names))]


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
