"""What must hold before a check goes on, without a line of its own in the report of a pass."""

from __future__ import annotations

from mlops_lab.checks import Observation, expect


def must(seen: Observation, why: str) -> None:
    """One expectation of many: it fails as `expect` does, and is no news where it is met.

    Raises:
        Failure: expected and seen differ.
    """
    if not seen.ok:
        expect(seen).because(why)
