"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """The certificate's name with kubeadm, where it is below the folder pki, how many hours it is good for, and a file.

    The components that use these read them when they begin, so those that run don't mind.
    """

    cert: str
    path: str
    hours: int
    file: str


def draw(random: Random) -> Drawn:
    """Draw them."""
    (word,) = words(random, 1)
    cert = random.choice(
        ["apiserver-kubelet-client", "apiserver-etcd-client", "front-proxy-client", "etcd-healthcheck-client"]
    )
    path = "etcd/healthcheck-client" if cert.startswith("etcd-") else cert
    return Drawn(cert, path, 24 * random.randrange(9, 40), f"{word}.txt")
