"""Requests that come at the same time: each has its own id, in its answer and in its line of the gateway's log."""

from __future__ import annotations

from mlops_lab.checks import Observation
from mlops_lab.kit.prerequisites import must

from .tracing import Request


def answered(request: Request) -> None:
    """Of the requests after one each got its own id back; raises Failure where one did not."""
    must(
        Observation(
            not request.mixed,
            "of requests that come at the same time each gets its own id back",
            request.mixed[0] if request.mixed else "each does",
        ),
        "the gateway answers several requests at once, in threads or by turns: what belongs to one of them, as its id "
        "does, is a local variable, or an attribute of what was made for it alone. What the class or the module has is "
        "the same for all, and says what the last one wrote there",
    )


def logged(request: Request) -> None:
    """Of the requests after one each has a line; raises Failure where one has none."""
    lost = request.unlogged
    must(
        Observation(
            not lost,
            f"a line with its own request_id in the gateway's log for each of {len(request.after)} requests",
            f"none for {len(lost)} of them, such as {lost[0]}" if lost else "one for each",
        ),
        "each request has a line of its own, with its own id, also where several come at the same time: what the class "
        "or the module keeps of one the next one writes over",
    )
