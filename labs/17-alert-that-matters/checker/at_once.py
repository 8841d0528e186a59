"""Requests that come at the same time: each has its own id, in its answer and in the gateway's log."""

from __future__ import annotations

from mlops_lab.checks import Observation
from mlops_lab.kit.prerequisites import must

from .tracing import Request


def answered(request: Request) -> None:
    """Of the requests after one each got its own id back; raises Failure where one did not."""
    ids = {sent for sent, _ in request.after}
    anew = all(back and back not in ids for sent, back in request.after if sent != back)
    must(
        Observation(
            not request.mixed,
            "of requests that come at the same time each gets its own id back",
            request.mixed[0] if request.mixed else "each does",
        ),
        "an id that came with the request is taken over, however short or long it is, up to 128 characters"
        if anew
        else "the gateway answers several requests at once, in threads or by turns: what belongs to one of them, as "
        "its id does, is a local variable, or an attribute of what was made for it alone. What the class or the module "
        "has is the same for all, and says what the last one wrote there",
    )


def logged(request: Request) -> None:
    """Of the requests after one the gateway's log has each id; raises Failure where it lacks one."""
    lost = request.unlogged
    must(
        Observation(
            not lost,
            f"the id of each of {len(request.after)} requests in the gateway's log",
            f"without {len(lost)} of them, such as {lost[0]}" if lost else "it has them all",
        ),
        "each request is logged under its own id, also where several come at the same time: what the class or the "
        "module keeps of one the next one writes over",
    )
