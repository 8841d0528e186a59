"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words

_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"


@dataclass(frozen=True)
class Drawn:
    """Names, the key's value and the other team's password, and who may read all Secrets at first."""

    server: str
    secret: str
    key: str
    variable: str
    value: str
    account: str
    other: str
    password: str
    role: str
    fault: str


def draw(random: Random) -> Drawn:
    """Draw them."""
    server, secret, account, other, role = words(random, 5)
    value, password = ("".join(random.choices(_LETTERS, k=24)) for _ in range(2))
    name = random.choice(("api-key", "token", "feature-store-key"))
    return Drawn(
        f"{server}-delay", f"{secret}-store", name, random.choice(("FEATURE_STORE_KEY", "STORE_TOKEN", "API_KEY")),
        f"fs-{value}", f"{account}-server", f"{other}-reports", password, f"{role}-reader",
        random.choice(("group", "everyone", "accounts")),
    )  # fmt: skip
