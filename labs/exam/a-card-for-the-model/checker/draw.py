"""What this task draws."""

import hashlib
from dataclasses import dataclass
from random import Random
from typing import Any

from mlops_lab.tasks.drawing import words

_COUNT = 4


@dataclass(frozen=True)
class Drawn:
    """Names, the files, the versions with what their runs have logged, the one in service and what made it.

    Attributes:
        purpose: the registered model's description.
        trained, evaluated: the files of the version in service.
    """

    files: str
    alias: str
    purpose: str
    data: dict[str, str]
    versions: list[dict[str, Any]]
    now: int
    trained: str
    evaluated: str


def draw(random: Random) -> Drawn:
    """Draw them. The version in service is not the newest, and the last value of its metric not the best."""
    files, purpose, *names = words(random, 2 + 4 + _COUNT)
    data = {f"{name}.csv": _rows(random) for name in names[:4]}
    digests = {name: hashlib.sha256(text.encode()).hexdigest()[:16] for name, text in data.items()}
    versions: list[dict[str, Any]] = []
    for run in names[4:]:
        training, evaluation = random.sample(sorted(digests), 2)
        auc = sorted(random.sample([value for value in range(7100, 8300) if value % 10], 4))  # all four digits count
        order = [auc[0], auc[3], auc[1], auc[2]]  # neither the first nor the best is the last
        versions.append({
            "run": f"{run}-{random.randrange(10, 99)}", "auc": [value / 10000 for value in order],
            "files": (training, evaluation), "training": digests[training], "evaluation": digests[evaluation],
            "order": random.sample(("training", "evaluation"), 2), "said": f"a draft of {run}",
        })  # fmt: skip
    now = random.randrange(1, _COUNT)
    versions[now - 1]["said"] = ""
    trained, evaluated = versions[now - 1]["files"]
    return Drawn(
        f"{files}-files", random.choice(("production", "live", "champion", "serving")), f"delays, for {purpose}", data,
        versions, now, trained, evaluated,
    )  # fmt: skip


def _rows(random: Random) -> str:
    lines = [f"{random.randrange(1, 13)},{random.randrange(0, 24)},{random.randrange(0, 90)}" for _ in range(6)]
    return "\n".join(["month,hour,delay", *lines, ""])
