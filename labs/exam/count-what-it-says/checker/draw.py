"""What this task draws."""

from dataclasses import dataclass
from random import Random
from typing import Any

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """Names, above what a flight is late, and the rows of the requests that the checker sends."""

    model: str
    prefix: str
    limit: int
    requests: list[list[dict[str, Any]]]


def draw(random: Random) -> Drawn:
    """Draw them. Of all rows some are late and some are not, and there are fewer requests than of either."""
    model, prefix = words(random, 2)
    limit = random.randrange(1800, 2600, 10)
    while True:
        requests = [
            [{"hour": random.randrange(5, 23), "distance": random.randrange(200, 1900)} for _ in range(count)]
            for count in random.sample((3, 4, 5, 6, 7), 3)
        ]
        said = [late(row, limit) for rows in requests for row in rows]
        if 3 < said.count(True) != said.count(False) > 3:
            return Drawn(f"{model}-delay", prefix, limit, requests)


def late(row: dict[str, Any], limit: int) -> bool:
    """What the server says of a row."""
    return bool(100 * row["hour"] + row["distance"] > limit)
