"""What goes on when the checker comes: the learner's own drift, and runs of the loop."""

from __future__ import annotations

from mlops_lab.checks import Lab, expect

from .alerts import active_alerts, listed
from .runs import count

STILL_WITHIN = 240  # s; a run takes one to two minutes, and alerts are over two minutes after the last flights


async def nothing_goes_on(lab: Lab) -> None:
    """Wait until no alert about drift fires and no run is under way: while one is, a new alert rightly starts none.

    A run that has not ended by then is ended.

    Raises:
        Failure: an alert fires all the while.
    """

    async def look() -> tuple[list[str], list[str]]:
        engine = lab.platform.pipelines
        runs = [run["run_id"] for run in await engine.runs() if not engine.over(run)]
        return await active_alerts(lab, pending=True), runs

    def shown(seen: tuple[list[str], list[str]]) -> str:
        alerts, runs = seen
        return f"{listed(alerts)}; {count([{}] * len(runs))} under way"

    seen = await lab.time.eventually(
        look, lambda found: not any(found), expected="no alert about drift, and no run under way, before the checker's",
        shown=shown, within=STILL_WITHIN, every=2,
    )  # fmt: skip
    alerts, runs = seen.value
    if alerts:
        expect(seen).because(
            "the model drifts, and that starts runs rightly, beside those that the checker counts. Stop your "
            "passengers (traffic.py): two minutes later nothing fires, and then check again"
        )
    for run in runs:
        await lab.platform.pipelines.end(run)
