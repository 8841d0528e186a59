"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words

_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"


@dataclass(frozen=True)
class Drawn:
    """Names, the image's tags, its user, what it says of itself, the key, and how that gets into it at first."""

    app: str
    image: str
    tag: str
    also: str
    uid: int
    release: str
    key: str
    fault: str


def draw(random: Random) -> Drawn:
    """Draw them."""
    app, image, also, release = words(random, 4)
    return Drawn(
        f"{app}-api", f"{image}-server", f"1.{random.randrange(2, 30)}", f"{also}-candidate",
        random.randrange(10100, 59000), f"{release}-{random.randrange(100, 999)}",
        "".join(random.choices(_LETTERS, k=24)), random.choice(("copied", "deleted")),
    )  # fmt: skip
