"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """The client, the store that it asks, a name that is none, a name server that there is none of, and the fault.

    `server`: the client's pod asks that name server. `name`: its URL has the other name. `selector`: the store's
    Service has no selector, so no endpoints.
    """

    client: str
    store: str
    wrong_host: str
    nowhere: str
    fault: str


def draw(random: Random) -> Drawn:
    """Draw them."""
    client, store = words(random, 2)
    store = f"{store}-store"
    wrong_host = random.choice([f"{store}.default", f"{store}.svc", f"{store}s", f"{store}.cluster.local"])
    nowhere = f"192.0.2.{random.randrange(2, 250)}"  # an address of documentation, nobody's
    return Drawn(f"{client}-client", store, wrong_host, nowhere, random.choice(["server", "name", "selector"]))
