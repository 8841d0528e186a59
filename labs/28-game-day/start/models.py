"""The two models, as the data scientists have left them: what is learnt from rows, and answered. Keep it as it is.

Rows are as the feeds give them. What is wrong in them is not looked for here.
"""

import math
from itertools import pairwise


def fit_forecast(rows):
    """The forecast of a share's price: next month's return from this month's, by least squares.

    rows: [{"month": "2009-12", "price": 129.37}, ...], a row for each month, in order.
    """
    logs = [math.log(row["price"]) for row in rows]
    steps = [after - before for before, after in pairwise(logs)]
    before, after = steps[:-1], steps[1:]
    middle, level = sum(before) / len(before), sum(after) / len(after)
    spread = sum((each - middle) ** 2 for each in before)
    slope = sum((x - middle) * (y - level) for x, y in zip(before, after, strict=True)) / spread if spread else 0.0
    last = rows[-1]
    return {
        "month": last["month"], "price": last["price"], "step": steps[-1],
        "slope": slope, "level": level - slope * middle,
    }  # fmt: skip


def forecast(model, months=1):
    """The next months' prices: [{"month": "2010-01", "price": 131.2}, ...]."""
    year, month = map(int, model["month"].split("-"))
    log, step, found = math.log(model["price"]), model["step"], []
    for _ in range(months):
        step = model["level"] + model["slope"] * step
        log += step
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
        found.append({"month": f"{year}-{month:02}", "price": round(math.exp(log), 4)})
    return found


def fit_recommender(rows):
    """Destinations that the same passengers fly to (cosine of the sets of passengers).

    rows: [{"id": "b-1", "passenger": "p-77", "dest": "BOS"}, ...].
    """
    visited, flew = {}, {}
    for row in rows:
        visited.setdefault(row["passenger"], set()).add(row["dest"])
        flew.setdefault(row["dest"], set()).add(row["passenger"])
    similar = {
        one: {
            other: len(flew[one] & flew[other]) / math.sqrt(len(flew[one]) * len(flew[other]))
            for other in sorted(flew)
            if other != one and flew[one] & flew[other]
        }
        for one in sorted(flew)
    }
    popular = sorted(flew, key=lambda dest: (-len(flew[dest]), dest))
    return {
        "visited": {name: sorted(dests) for name, dests in sorted(visited.items())},
        "similar": similar, "popular": popular,
    }  # fmt: skip


def recommend(model, passenger, count=3):
    """Where a passenger has not been and may like to go, best first; for a stranger where most passengers go."""
    been = set(model["visited"].get(passenger, ()))
    scores = {}
    for dest in been:
        for other, value in model["similar"][dest].items():
            if other not in been:
                scores[other] = scores.get(other, 0.0) + value
    best = sorted(scores, key=lambda dest: (-round(scores[dest], 9), dest))
    best += [dest for dest in model["popular"] if dest not in been and dest not in scores]
    return best[:count]
