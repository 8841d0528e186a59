"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """The names of the Job, its containers and its file; the word in the lines, and how many there are."""

    job: str
    worker: str
    shipper: str
    file: str
    word: str
    parts: int


def draw(random: Random) -> Drawn:
    """Draw them."""
    job, shipper, file, word = words(random, 4)
    worker = random.choice(["worker", "loader", "scorer"])
    return Drawn(f"{job}-nightly", worker, f"{shipper}-log", f"{file}.log", word, random.randrange(5, 10))
