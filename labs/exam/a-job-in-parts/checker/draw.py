"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """The names of the Job and of the program, the word that it works on, and the Job's numbers."""

    job: str
    program: str
    word: str
    parts: int
    parallel: int
    backoff: int
    deadline: int
    keep: int


def draw(random: Random) -> Drawn:
    """Draw them. The Job is kept for longer than any exam takes: it is looked at when that is over."""
    job, program, word = words(random, 3)
    return Drawn(
        f"{job}-parts", f"{program}-program", word, random.choice([4, 5]), random.choice([2, 3]),
        random.choice([2, 3, 4, 5]), random.randrange(180, 600, 20), random.randrange(18000, 36000, 300),
    )  # fmt: skip
