"""The pods of a lab that the platform's Prometheus scrapes, and the newest value of a query's series."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_lab.checks import Lab, LabError

if TYPE_CHECKING:
    from mlops_lab.platform.dashboard.prometheus import Series

STALE = 25  # s without a scrape, which comes each 10 s


@dataclass(frozen=True)
class Target:
    """A port of a pod that is scraped, and whether metrics were got there (`up` is 1)."""

    pod: str
    instance: str
    up: bool


def newest(series: Series) -> float:
    """The last value of a series; 0 where it is not a number."""
    return series.points[-1][1] or 0.0


async def targets(lab: Lab) -> list[Target]:
    """What Prometheus scrapes of the lab's pods, by their annotations.

    Raises:
        LabError: it does not scrape on its schedule.
    """
    up = f'up{{job="pods", {lab.platform.prometheus.matcher}}}'
    age = [newest(each) for each in await lab.platform.prometheus.query(f"min(time() - timestamp({up}))")]
    if age and age[0] > STALE:
        raise LabError(
            f"Prometheus has scraped nothing here for {age[0]:.0f} s",
            "the machine may be too busy; see how Prometheus is: lab status",
        )
    found = await lab.platform.prometheus.query(up)
    return [Target(each.labels.get("pod", ""), each.labels.get("instance", ""), newest(each) > 0) for each in found]
