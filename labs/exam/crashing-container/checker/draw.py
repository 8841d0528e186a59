"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words as plain_words


@dataclass(frozen=True)
class Drawn:
    """Names, what the program says, where it listens, what it reads in MiB, and the fault.

    `key`: the container wants a key that the ConfigMap does not have. `command`: it starts a file that is not there.
    `probe`: its liveness probe asks another port. `memory`: its limit is less than what it reads; `most` is the largest
    limit that it may have, in MiB.
    """

    name: str
    words: str
    key: str
    other_key: str
    port: int
    other_port: int
    stock: int
    most: int
    fault: str


def draw(random: Random) -> Drawn:
    """Draw them."""
    name, first, second = plain_words(random, 3)
    key, other_key = random.sample(["text", "greeting", "message", "motto", "answer"], 2)
    port, other_port = random.sample(range(8000, 8100, 5), 2)
    fault = random.choice(["key", "command", "probe", "memory"])
    most = random.randrange(80, 129, 8)
    return Drawn(f"{name}-speaker", f"{first}-{second}", key, other_key, port, other_port, 28, most, fault)
