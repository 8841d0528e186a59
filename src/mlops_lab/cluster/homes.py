"""Whose the nodes of a kind cluster are: `lab`'s or another program's, this home's or another one's.

A home is where `lab` keeps its records: another user of the engine has another one, and so has `sudo`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_lab.base.errors import LabError
from mlops_lab.base.paths import state
from mlops_lab.cluster import names

if TYPE_CHECKING:
    from mlops_lab.cluster.kind import Node


def require_ours(found: Sequence[Node], of: str = "") -> None:
    """See that `lab` made the nodes, from whatever home.

    Raises:
        LabError: somebody else made a kind cluster of that name.
    """
    name = of or names.cluster()
    if strangers := [node.name for node in found if not node.ours]:
        raise LabError(
            f"there is a kind cluster {name!r} that `lab` did not create ({', '.join(strangers)})",
            f"delete it (kind delete cluster --name {name}), or choose another name with MLOPS_LAB_CLUSTER",
        )


def require_own_home(found: Sequence[Node], record: Path, of: str = "") -> None:
    """See that nodes were not made by another home.

    Args:
        record: as for `other_home`.
        of: kind's name of the cluster, if it is not the first one.

    Raises:
        LabError: they were.
    """
    if home := other_home(found, record):
        raise LabError(
            f"there is a cluster {of or names.cluster()} that was made with another home, whose files are in {home};"
            " nothing was deleted",
            "use it as the user, and with the MLOPS_LAB_HOME, with which it was made, or choose another name with"
            " MLOPS_LAB_CLUSTER; to delete it with all its data: "
            + (f"kind delete cluster --name {of}" if of else "lab down --yes"),
        )


def other_home(found: Sequence[Node], record: Path) -> str:
    """The folder of the other home that made nodes; empty if none did.

    Args:
        record: the file below the state folder that says that the cluster was made whole. If it is here, it may be of
            an earlier cluster; only a mark of another home that has such a file too outweighs it. A state folder that
            was moved leaves none behind.
    """
    file, recorded = record.relative_to(state()), record.exists()
    theirs = (
        node.elsewhere for node in found
        if node.elsewhere and (not recorded or (node.marked and _may_exist(Path(node.elsewhere) / file)))
    )  # fmt: skip
    return next(theirs, "")


def _may_exist(file: Path) -> bool:
    """Whether a file is there, or is where this user can't look."""
    try:
        file.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True
