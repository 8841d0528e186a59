"""The warehouse, Service `days`: which day it is there, which labels are turned round, and flights for the traffic."""

from __future__ import annotations

from collections.abc import Sequence

from mlops_lab.checks import Lab, expect
from mlops_lab.kube.client import Object

ANSWERS_WITHIN = 20  # s for a Service whose pods are ready; the network learns of new ones after a moment
ROWS = 200  # in each request of the traffic


async def set_warehouse(lab: Lab, today: str, *, turned: Sequence[str] = ()) -> None:
    """Put the warehouse at a day.

    Args:
        turned: the first and the last day whose labels are turned round; empty for none.
    """
    body = {"today": today, "turned": list(turned) or False}
    set_to = await lab.time.eventually(
        lambda: lab.traffic.post("days", "/world", body, within=10),
        lambda answer: answer.status == 200, expected="the warehouse, Service days, answers with status 200",
        shown=lambda answer: f"status {answer.status} {answer.error}".strip(), within=ANSWERS_WITHIN,
    )  # fmt: skip
    expect(set_to).because(
        "the warehouse is the lab's own: Deployment and Service days. Leave them as they are, or: lab reset"
    )


async def flights(lab: Lab, first: str, last: str) -> Object:
    """A body of POST /predict with flights spread over some days."""
    answer = await lab.traffic.get("days", f"/flights?first={first}&last={last}&rows={ROWS}", within=30)
    return answer.fields()
