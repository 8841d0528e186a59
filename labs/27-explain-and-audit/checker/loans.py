"""A made-up bank: customers who ask for loans, what became of loans, and the models that are trained on that.

Nothing of it is anybody's: it is drawn with the run's seed. The trees are boosted as Friedman 2001 has it, "Greedy
function approximation", with Newton's steps in the leaves; a few shallow ones, which two hundred loans are enough for.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

from mlops_lab.kube.client import Object

from .bank import FEATURES, numbers_of, probability, score

LOANS, BACKGROUND = 240, 12
MANY = (102, 116)  # rows of a large background; the README says 200 at most
TREES, DEPTH, RATE, CUTS, FEWEST = 8, 3, 0.5, 6, 8
RIDGE = 0.5  # by which leaves of few loans are smaller
SHARE = 0.6  # of loans that a model approves
SPACES = 3  # by which no model's file is set in
SOFT, QUIET = 0.004, 0.0002  # of a leaf that may be a reason, and of one that never is, whatever the background
SYLLABLES = ("ba", "dor", "el", "fin", "ga", "hus", "il", "jo", "kar", "lun", "mo", "nep", "or", "pri", "quo", "ras",
             "sel", "tam", "ul", "vor", "wim", "yb", "zan")  # fmt: skip
WORDS = {
    "income": ("the income", ("is low", "leaves little to spare"), ("is good", "leaves enough to spare")),
    "amount": ("the sum", ("is large", "is higher than most"), ("is small", "is lower than most")),
    "months": ("the time to pay", ("is long", "goes on for long"), ("is short", "is soon over")),
    "instalment": ("the instalments", ("are heavy", "take too much each month"), ("are light", "take little a month")),
    "debt": ("other debts", ("weigh heavily", "are many"), ("weigh little", "are few")),
    "customer": ("the account", ("is young", "was opened lately"), ("is an old one", "was opened long ago")),
    "employed": ("the present job", ("is new", "began lately"), ("is a settled one", "began long ago")),
    "late": ("earlier payments", ("came late", "were not on time"), ("came when due", "were on time")),
}


@dataclass(frozen=True)
class Model:
    """A model file.

    Attributes:
        text: what is handed in.
        content: what it says.
    """

    version: str
    text: str
    content: Object


def applicant(draw: Random, day: date) -> Object:
    """An application of somebody's whose like there is nowhere else."""

    def name() -> str:
        return "".join(draw.choice(SYLLABLES) for _ in range(4)).capitalize()

    def before(longest: int) -> date:
        return day - timedelta(draw.randrange(20, longest))

    income = round(draw.uniform(1200, 6500), 2)
    return {
        "person": f"C-{draw.randrange(10**6, 10**7)}",
        "name": f"{name()} {name()}",
        "income": income,
        "debt": round(income * draw.uniform(0, 0.5), 2),
        "amount": round(draw.uniform(300, 9000), 2),
        "months": draw.choice((6, 12, 18, 24, 36, 48)),
        "customer_since": before(3600).isoformat(),
        "employed_since": before(3600).isoformat(),
        "late_payments": sorted(before(1200).isoformat() for _ in range(draw.choice((0, 0, 0, 1, 1, 2, 3)))),
    }


def trained(draw: Random, version: str, *, small: bool = False, large: bool = False) -> Model:
    """A model that has learnt from loans which were drawn for it.

    Args:
        small: one feature speaks aloud, one softly, and the others too quietly to be reasons.
        large: a background of many rows.
    """
    trees, depth = (1, 1) if small else (TREES, DEPTH)
    at = datetime.now(UTC).isoformat()
    day = date.fromisoformat(at[:10])
    rows = [numbers_of(applicant(draw, day), at) for _ in range(LOANS)]
    habits = {name: draw.uniform(0.5, 1.3) for name in FEATURES}
    lost = [float(draw.random() < probability(_truth(row, habits))) for row in rows]
    content: Object = {"version": version, "features": list(FEATURES), "start": 0.0, "trees": []}
    mean = min(max(sum(lost) / len(lost), 0.05), 0.95)
    content["start"] = round(math.log(mean / (1 - mean)), 4)
    scores = [content["start"]] * LOANS
    for _ in range(trees):
        chances = [probability(each) for each in scores]
        content["trees"].append(_tree(rows, lost, chances, list(range(LOANS)), depth))
        scores = [score(content, row) for row in rows]
    content["threshold"] = _cut(sorted({probability(each) for each in scores}))
    if small:
        known = json.dumps(content["trees"])
        content["trees"] += _stumps(draw, rows, [name for name in FEATURES if f'"{name}"' not in known])
    content["background"] = draw.sample(rows, draw.randint(*MANY) if large else BACKGROUND)
    content["words"] = {
        name: {"raises": f"{what} {draw.choice(up)}", "lowers": f"{what} {draw.choice(down)}"}
        for name, (what, up, down) in WORDS.items()
    }
    return Model(version, written(content, draw.choice((None, 1, 2))), content)


def written(content: Object, spaces: int | None = None) -> str:
    """A model file; it ends as files do, and so is another text than what is parsed and printed anew."""
    return f"{json.dumps(content, indent=spaces)}\n"


def at_the_edge(model: Model) -> Model:
    """A model of the same bank's by which everybody's score is 0, and so the probability what its threshold is.

    It is made of binary fractions: whoever adds them up, in whatever order, has exactly that.
    """
    leaves = {"feature": FEATURES[0], "below": 3000.0, "then": -0.5, "else": -0.5}
    content = model.content | {"start": 0.5, "trees": [leaves], "threshold": 0.5}
    return Model(model.version, written(content), content)


def _cut(chances: Sequence[float]) -> float:
    """Where the line is drawn: in the widest gap near the place at which so many are approved."""
    middle = int(len(chances) * SHARE) - 1
    near = range(max(0, middle - len(chances) // 10), min(len(chances) - 1, middle + len(chances) // 10 + 1))
    place = max(near, key=lambda one: chances[one + 1] - chances[one])
    return round((chances[place] + chances[place + 1]) / 2, 6)


def _truth(row: dict[str, float], habits: dict[str, float]) -> float:
    """How likely such a loan is lost; features speak together, so that no sum of single ones explains it."""
    heavy = 9 * (row["instalment"] + row["debt"] - 0.35)
    rooted = 0.9 if row["customer"] > 36 and row["employed"] > 24 else 0.0
    late = 0.9 * row["late"] * (1.6 if row["customer"] < 48 else 1.0)
    small = (row["income"] - 3000) / 2500
    return (
        habits["debt"] * heavy + habits["late"] * late - habits["employed"] * rooted - habits["income"] * small
        + habits["amount"] * (row["amount"] - 4000) / 6000 + habits["months"] * (row["months"] - 24) / 60 - 0.8
    )  # fmt: skip


def _tree(
    rows: Sequence[dict[str, float]], lost: Sequence[float], chances: Sequence[float], there: list[int], depth: int
) -> Any:
    """A branch, or a leaf."""
    pull, mass = _sums(lost, chances, there)
    best, found = pull**2 / mass + 1e-6, None
    for name in FEATURES if depth else ():
        values = sorted({rows[one][name] for one in there})
        for place in range(1, CUTS):
            at = len(values) * place // CUTS
            if at == 0:
                continue
            cut = (values[at - 1] + values[at]) / 2
            left = [one for one in there if rows[one][name] < cut]
            if not FEWEST <= len(left) <= len(there) - FEWEST:
                continue
            left_pull, left_mass = _sums(lost, chances, left)
            gain = left_pull**2 / left_mass + (pull - left_pull) ** 2 / (mass - left_mass + RIDGE)
            if gain > best:
                best, found = gain, (name, cut, left)
    if found is None:
        return RATE * pull / mass
    name, cut, left = found
    inside = set(left)
    right = [one for one in there if one not in inside]
    branches = [_tree(rows, lost, chances, part, depth - 1) for part in (left, right)]
    return {"feature": name, "below": cut, "then": branches[0], "else": branches[1]}


def _stumps(draw: Random, rows: Sequence[dict[str, float]], names: Collection[str]) -> list[Object]:
    """A tree of one cut for each of these features, the first of them louder than the rest."""
    made: list[Object] = []
    for name in draw.sample(list(names), len(names)):
        values, middle = sorted({row[name] for row in rows}), sorted(row[name] for row in rows)[len(rows) // 2]
        place = min(values.index(middle) + 1, len(values) - 1)
        leaf = draw.choice((-1, 1)) * (QUIET if made else SOFT)
        cut = (values[place - 1] + values[place]) / 2
        made.append({"feature": name, "below": cut, "then": leaf, "else": -leaf})
    return made


def _sums(lost: Sequence[float], chances: Sequence[float], there: Sequence[int]) -> tuple[float, float]:
    """The gradient's and the curvature's sums over some loans, the second a little larger."""
    pull = sum(lost[one] - chances[one] for one in there)
    return pull, sum(chances[one] * (1 - chances[one]) for one in there) + RIDGE
