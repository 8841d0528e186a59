"""The seam to what runs containers: the cluster, or processes of this machine in tests. Nothing else knows pods."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, Protocol


class Refused(Exception):
    """The cluster does not take a pod: a quota, Pod Security, or a manifest that is wrong.

    Args:
        reason: what the cluster said.
        final: it would say the same again.
    """

    def __init__(self, reason: str, *, final: bool) -> None:
        super().__init__(reason)
        self.reason, self.final = reason, final


class Unreachable(Exception):
    """The cluster did not answer; what was asked may or may not have been done."""


@dataclass(frozen=True)
class Seen:
    """A pod as it is now.

    Args:
        reason: a word, such as ErrImagePull, OOMKilled, Unschedulable or Evicted; may be empty.
        message: what the cluster says about it.
        exit_code: of the main container, once it ended.
        stopping: since when it is being deleted; empty if it is not.
    """

    name: str
    phase: Literal["Pending", "Running", "Succeeded", "Failed", "Unknown"]
    labels: dict[str, str] = field(default_factory=dict)
    reason: str = ""
    message: str = ""
    exit_code: int | None = None
    stopping: str = ""

    @property
    def over(self) -> bool:
        """Will it never run again?"""
        return self.phase in ("Succeeded", "Failed")


class Pods(Protocol):
    """What the server asks of the layer that runs pods; every method raises Unreachable when it can't be done now."""

    def create(self, manifest: dict[str, Any]) -> None:
        """Have the pod. If it is there already, made before, it is left as it is.

        Raises:
            Refused: it is not taken, or another pod has its name.
        """

    def seen(self) -> dict[str, Seen]:
        """All pods of this server, by name: each whose creation was confirmed before, unless it was deleted since. Who
        is not among them is taken for deleted."""

    def secret(self, name: str) -> dict[str, str] | None:
        """The labels of a Secret, without its content; None if there is none.

        Raises:
            Refused: nobody may have it looked at.
        """

    def delete(self, name: str, grace: int) -> None:
        """Have it gone; no error if it is."""

    def log(self, name: str, lines: int) -> str:
        """The end of its main container's output; empty if there is none."""

    def events(self, name: str) -> list[str]:
        """What the cluster reports about it, oldest first, one line each."""
