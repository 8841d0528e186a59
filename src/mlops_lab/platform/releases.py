"""The parts of the platform, in the order in which they are installed: one Helm release each, in a namespace of its
own. Here is only what they are; `install` brings them, `pages` opens them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from mlops_lab.base.errors import UsageError
from mlops_lab.base.paths import project
from mlops_lab.base.versions import pin
from mlops_lab.images.recipes import (
    components,
    flight_delay,
    kfp_python,
    mlflow,
    monitoring,
    pipelines,
    postgres,
    serving,
)


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
class Engine:
    """Another way to run a part: the chart's profile of this name, and what is other with it.

    Args:
        name: what `lab up --engine` calls it; also the profile's name, so that the release remembers it.
        images: as a release's.
        published: images that are in no catalog, since they can't be built: the nodes pull them themselves.
        pages: what it serves beside the release's own pages.
        within: seconds until it is ready, with the time to pull.
    """

    name: str
    images: tuple[str, ...]
    published: tuple[str, ...] = ()
    pages: tuple[Page, ...] = ()
    within: float = 240


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
        published: images that only image registries have, see `Engine`.
        engine: what it runs on by default, where there is a choice.
        engines: what else it can run on.
    """

    part: str
    chart: str
    images: tuple[str, ...]
    needs: tuple[str, ...] = ()
    pages: tuple[Page, ...] = ()
    within: float = 240
    published: tuple[str, ...] = ()
    engine: str = ""
    engines: tuple[Engine, ...] = ()

    @property
    def namespace(self) -> str:
        """Its namespace, which is also the release's name."""
        return f"mlops-lab-{self.part}"

    @property
    def folder(self) -> Path:
        """Its chart."""
        return project() / "charts" / self.chart

    def by(self, profile: str) -> Release:
        """The release as it is with a profile: another one's images and pages if an engine has that name."""
        for each in self.engines:
            if each.name == profile:
                return replace(
                    self, images=each.images, published=each.published, pages=(*self.pages, *each.pages),
                    within=each.within,
                )  # fmt: skip
        return self

    def profile(self, requested: str | None, engine: str | None, known: str) -> str:
        """The profile to install.

        Args:
            requested: the profile that the user asks for.
            engine: an engine that the user asks for; without one the part keeps the one that it has.
            known: the profile that the part is installed with; empty for a new one.
        """
        others = [each.name for each in self.engines]
        if engine in others:
            return str(engine)
        if known in others:
            return known if engine is None else requested or "small"
        return requested or known or "small"


_PUBLISHED = tuple(
    str(pin(f"images.{key}.name"))
    for key in (
        *("kfp-api-server", "kfp-persistence-agent", "kfp-scheduled-workflow-controller", "kfp-driver", "kfp-launcher"),
        *("kfp-frontend", "kfp-metadata-envoy", "ml-metadata", "workflow-controller", "argoexec", "mysql", "seaweedfs"),
        "alpine",
    )
)
_STEPS = (components.NAME, kfp_python.NAME)  # what steps of pipelines run in

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
    ),
    Release(
        part="pipelines",
        chart="pipelines",
        images=(*(image.name for image in pipelines.IMAGES), *_STEPS),
        pages=(Page("pipelines", "ml-pipeline", 8888, what="runs of pipelines, and the API for kfp.Client"),),
        engine="embedded",
        engines=(
            Engine(
                name="kubeflow",
                images=(pipelines.NAME, *_STEPS),  # the first for helm test
                published=_PUBLISHED,
                pages=(Page("kubeflow", "ml-pipeline-ui", 80, what="Kubeflow Pipelines' own pages"),),
                within=1500,
            ),
        ),
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


def part_of(engine: str) -> str:
    """The part that can run on an engine.

    Raises:
        UsageError: none can.
    """
    for release in RELEASES:
        if engine in (release.engine, *(each.name for each in release.engines)):
            return release.part
    raise UsageError(f"there is no engine {engine!r}", "see: lab up --help")
