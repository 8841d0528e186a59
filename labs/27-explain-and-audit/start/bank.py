"""What the bank has always done: an application and a day become numbers, and numbers and a model become a score.

It knows the staff, too. Nothing in here has to be changed.
"""

import json
from datetime import date, timedelta
from pathlib import Path

FEATURES = ("income", "amount", "months", "instalment", "debt", "customer", "employed", "late")
REMEMBERED = 730  # days for which a late payment counts
STAFF = Path("/staff/staff.json")


def features(application: dict, at: str) -> dict[str, float]:
    """The numbers of an application.

    Args:
        at: the moment of the decision, UTC, in ISO 8601; its day counts.
    """
    day, income = date.fromisoformat(at[:10]), application["income"]
    late = [date.fromisoformat(each) for each in application["late_payments"]]
    return {
        "income": income,
        "amount": application["amount"],
        "months": application["months"],
        "instalment": application["amount"] / application["months"] / income,
        "debt": application["debt"] / income,
        "customer": whole_months(date.fromisoformat(application["customer_since"]), day),
        "employed": whole_months(date.fromisoformat(application["employed_since"]), day),
        "late": sum(day - timedelta(REMEMBERED) <= each <= day for each in late),
    }


def whole_months(first: date, last: date) -> int:
    """The whole months from one day to another."""
    return (last.year - first.year) * 12 + last.month - first.month - (last.day < first.day)


def score(model: dict, row: dict[str, float]) -> float:
    """The model's log-odds that the loan is not paid back; the probability is 1 / (1 + exp(-score)).

    Args:
        model: a model file's content.
        row: what `features` gives, or a row of the model's `background`.
    """
    return model["start"] + sum(leaf(tree, row) for tree in model["trees"])


def leaf(tree: dict | float, row: dict[str, float]) -> float:
    """What a tree says about a row: a branch has feature, below, then and else; a leaf is a number."""
    while isinstance(tree, dict):
        tree = tree["then"] if row[tree["feature"]] < tree["below"] else tree["else"]
    return tree


def member(authorization: str | None) -> dict[str, str] | None:
    """Who of the staff has the token of a header `Authorization: Bearer TOKEN`: name and role. None: nobody."""
    kind, _, token = (authorization or "").partition(" ")
    return json.loads(STAFF.read_text(encoding="utf-8")).get(token) if kind == "Bearer" else None
