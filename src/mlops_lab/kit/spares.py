"""Does the model's server run in other pods than the Deployment's, while a load runs, and once it is over?

A program may start such a pod for a moment only, so one look is not enough.
"""

from __future__ import annotations

import time
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

from mlops_lab.checks import Lab, Observation
from mlops_lab.kit.looking import looked_at
from mlops_lab.kit.paid_for import no_other_server

EVERY = 3.0  # s between two looks; a pod that is of any use in a storm loads its model for longer
NOT_YET = Observation(True, "a look at all pods", "none so far")


class Spares:
    """Other pods of the model's server, as they are seen while `followed` runs.

    Attributes:
        seen: whether the Deployment's pods alone have run it: the first look at which they did not, else the last one.
    """

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self.seen = NOT_YET

    def followed(self) -> AbstractAsyncContextManager[None]:
        """Look again and again while the block runs.

        Raises:
            LabError: the cluster has other trouble, or some at the first look.
        """
        return looked_at(self.look, every=EVERY, goes_on=lambda: self.seen.ok)

    async def look(self) -> None:
        """Look once."""
        self.seen = await no_other_server(self._lab)


async def none_is_left(lab: Lab, *, ended: float, within: float) -> Observation:
    """Whether the Deployment's pods alone run the model's server after a load; others have as long to go as its own.

    Args:
        ended: when the load did, on the monotonic clock.
        within: seconds from then.
    """
    seen = await lab.time.eventually(
        lambda: no_other_server(lab),
        lambda now: now.ok,
        expected="",
        shown=lambda now: now.seen,
        within=max(1.0, ended + within - time.monotonic()),
    )
    last: Observation = seen.value
    return replace(last, expected=f"{last.expected} again {within:g} s after the load's end")
