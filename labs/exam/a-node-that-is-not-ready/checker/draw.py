"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """The Deployment's name, a file that there is none of, a port that nobody listens on, and the fault.

    `stopped`: the kubelet is stopped and disabled. `path`: its unit names another file of settings. `runtime`:
    containerd is stopped and disabled. `server`: its kubeconfig names another port of the API server.
    """

    app: str
    word: str
    port: int
    fault: str


def draw(random: Random) -> Drawn:
    """Draw them."""
    app, word = words(random, 2)
    fault = random.choice(["stopped", "path", "runtime", "server"])
    return Drawn(f"{app}-batch", word, random.choice([6334, 6433, 6444, 8443]), fault)
