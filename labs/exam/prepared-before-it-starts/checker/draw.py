"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """The names of both programs, of the file, and of the ConfigMap."""

    app: str
    source: str
    file: str
    tools: str


def draw(random: Random) -> Drawn:
    """Draw them."""
    app, source, file, tools = words(random, 4)
    return Drawn(f"{app}-pages", f"{source}-source", f"{file}.txt", f"{tools}-tools")
