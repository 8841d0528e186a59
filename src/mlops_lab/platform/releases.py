"""The parts of the platform, in the order in which they are installed: one Helm release each, in a namespace of its
own. Here is only what they are; `install` brings them, `pages` opens them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mlops_lab.base.errors import UsageError
from mlops_lab.base.paths import project
from mlops_lab.images.recipes import components, flight_delay, mlflow, monitoring, pipelines, postgres, serving


@dataclass(frozen=True)
class Page:
    """Something to open in a browser or to talk to.

    Args:
        name: what `lab open` calls it.
        service: the Service in the part's namespace.
        port: the Service's port.
        path: where the page is below it.
        what: one line about it.
    """

    name: str
    service: str
    port: int
    path: str = "/"
    what: str = ""


@dataclass(frozen=True)
class Release:
    """One part of the platform.

    Args:
        part: its name on the command line, such as tracking.
        chart: the folder of its chart below `charts/`.
        images: names in the image catalog that its pods run.
        needs: parts that must be ready before it is installed.
        pages: what it serves.
        within: seconds until it is ready.
    """

    part: str
    chart: str
    images: tuple[str, ...]
    needs: tuple[str, ...] = ()
    pages: tuple[Page, ...] = ()
    within: float = 240

    @property
    def namespace(self) -> str:
        """Its namespace, which is also the release's name."""
        return f"mlops-lab-{self.part}"

    @property
    def folder(self) -> Path:
        """Its chart."""
        return project() / "charts" / self.chart


RELEASES: tuple[Release, ...] = (
    Release(
        part="tracking",
        chart="mlflow",
        images=(postgres.NAME, mlflow.NAME, serving.FLAVOURS["fastapi"]),  # the last serves what is registered
        pages=(Page("mlflow", "mlflow", 5000, what="runs, metrics, artifacts and the model registry"),),
    ),
    Release(
        part="monitoring",
        chart="monitoring",
        images=(*(image.name for image in monitoring.IMAGES), flight_delay.IMAGES[0].name),  # the last for helm test
        pages=(
            Page("prometheus", "prometheus", 9090, what="metrics, rules and targets"),
            Page("alertmanager", "alertmanager", 9093, what="alerts and silences"),
        ),
        within=180,
    ),
    Release(
        part="pipelines",
        chart="pipelines",
        images=(*(image.name for image in pipelines.IMAGES), components.NAME),  # the last is what its steps run in
        pages=(Page("pipelines", "ml-pipeline", 8888, what="runs of pipelines, and the API for kfp.Client"),),
    ),
)


def releases(parts: Iterable[str]) -> list[Release]:
    """Parts by name, with all that they need, in the order of installation.

    Raises:
        UsageError: there is no such part.
    """
    known = {each.part: each for each in RELEASES}
    wanted: dict[str, None] = {}

    def add(part: str) -> None:
        if part not in known:
            raise UsageError(f"there is no part {part!r} of the platform", f"there are: {', '.join(known) or 'none'}")
        for needed in known[part].needs:
            add(needed)
        wanted[part] = None

    for part in parts:
        add(part)
    return [each for each in RELEASES if each.part in wanted]
