"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """The Deployment's name, a word for what there is none of, and the fault.

    `flag`: one that the scheduler does not know. `image`: a version that there is none of. `volume`: another file is
    mounted as its kubeconfig. `kubeconfig`: its flag names another file.
    """

    app: str
    word: str
    fault: str


def draw(random: Random) -> Drawn:
    """Draw them."""
    app, word = words(random, 2)
    return Drawn(f"{app}-web", word, random.choice(["flag", "image", "volume", "kubeconfig"]))
