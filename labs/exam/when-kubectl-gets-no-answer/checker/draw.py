"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """The Deployment's name, how many pods it is to have, a word, a port that etcd does not have, and the fault.

    `etcd`: the API server looks for etcd on another port. `file`: its certificate is in no such file. `flag`: one that
    it does not know.
    """

    app: str
    pods: int
    word: str
    port: int
    fault: str


def draw(random: Random) -> Drawn:
    """Draw them."""
    app, word = words(random, 2)
    port = random.choice([2397, 2378, 2389, 3279])
    return Drawn(f"{app}-web", random.choice([2, 3, 4]), word, port, random.choice(["etcd", "file", "flag"]))
