"""What a grader's Job is told: which submission, where its sandbox is, and what is particular to the cluster."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

import msgspec

from mlops_lab.base.errors import UsageError

TASK, TOKEN = "task.json", "token"  # files of the Job's Secret


class Task(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One try at one submission.

    Attributes:
        tries: how often it was taken.
        seed: with which the lab draws.
        sandbox: the namespace of the learner's work.
        in_place: it is the learner's own, graded as it is; it is not the grader's to fill or to remove.
        apart: that of the third place.
        klass: the class's own namespace.
        server: the class's server inside of the cluster.
        image: of the third place.
        api: addresses and ports of the API server.
        limit: seconds for all.
    """

    submission: int
    tries: int
    learner: str
    lab: str
    sha256: str
    seed: int
    sandbox: str
    apart: str
    klass: str
    server: str
    registry: str
    image: str
    dns: dict[str, str]
    in_place: bool = False
    api: list[tuple[str, int]] = []
    dns_addresses: list[str] = []
    limit: float = 3000


def read(folder: Path) -> tuple[Task, str]:
    """The task and its token, as they lie in the folder of the Secret.

    Raises:
        UsageError: they can't be read.
    """
    try:
        return msgspec.json.decode((folder / TASK).read_bytes(), type=Task), (folder / TOKEN).read_text("utf-8").strip()
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as wrong:
        raise UsageError(f"{folder} holds no task: {wrong}", "dispatcher and grader are of one version") from wrong


def seed(secret: str, learner: str, lab: str) -> int:
    """With which a lab draws for a learner: the same at each submission, another one for a neighbour.

    Args:
        secret: the class's; without it nobody can tell what will be drawn.
    """
    drawn = hmac.new(secret.encode(), f"seed\0{learner}\0{lab}".encode(), hashlib.sha256).digest()
    return int.from_bytes(drawn[:8], "big") % 10**9
