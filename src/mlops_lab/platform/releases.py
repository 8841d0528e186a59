"""The parts of the platform, in the order in which they are installed: one Helm release each, in a namespace of its
own. Here is only what they are; `install` brings them, `pages` opens them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
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
    victoria_logs,
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
        local: the port on 127.0.0.1 that `lab open` takes if it is free; 0 for the Service's.
        login: a Secret of the part's namespace with the keys `user` and `password`, for those who want to sign in.
    """

    name: str
    service: str
    port: int
    path: str = "/"
    what: str = ""
    local: int = 0
    login: str = ""


@dataclass(frozen=True)
class Engine:
    """Another way to run a part, with images that can only be pulled: the chart's profile of this name, in place of the
    part's own or beside it. The release remembers it by its profile, `kubeflow` or `small.grafana`.

    Args:
        name: what `lab up --engine` calls it; also the profile's name.
        images: as a release's; if it adds, they come beside the release's own.
        published: images that are in no catalog, since they can't be built: the nodes pull them themselves.
        later: those of `published` that only pods of runs need.
        pages: what it serves, beside the release's own pages or in place of those of the same name.
        within: seconds until it is ready, with the time to pull.
        adds: its profile comes beside the part's own.
        beside: values that it sets if another part is there, too.
        unasked: the profiles of a new part that take it where it can be had, without being asked.
        processors: what its images are published for; empty for all that a cluster here can have.
        disk: bytes that its images take on a node at most, packed and unpacked.
        patience: seconds until it is ready if nobody asked for it; then the part goes on without.
        title: what people call it.
        instead: the command that opens what serves where it is not.
    """

    name: str
    images: tuple[str, ...] = ()
    published: tuple[str, ...] = ()
    later: tuple[str, ...] = ()
    pages: tuple[Page, ...] = ()
    within: float = 240
    adds: bool = False
    beside: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    unasked: tuple[str, ...] = ()
    processors: tuple[str, ...] = ()
    disk: float = 0
    patience: float = 240
    title: str = ""
    instead: str = ""

    def over(self, profile: str) -> str:
        """The name of a part's profile with it."""
        return f"{profile}.{self.name}" if self.adds else self.name


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
        command: what installs it, if `lab up` does not.
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
    command: str = ""

    @property
    def again(self) -> str:
        """The command that installs it."""
        return self.command or f"lab up --with {self.part}"

    @property
    def namespace(self) -> str:
        """Its namespace, which is also the release's name."""
        return f"mlops-lab-{self.part}"

    @property
    def folder(self) -> Path:
        """Its chart."""
        return project() / "charts" / self.chart

    def files(self, profile: str) -> list[Path]:
        """The values files of a profile, `small.grafana` for one beside the part's own; the last one wins."""
        found = [self.folder / "profiles" / f"{name}.yaml" for name in profile.split(".")]
        return [file for file in found if file.exists()]

    def running(self, profile: str) -> Engine | None:
        """The engine of a profile; None for the one that the part has by default."""
        *base, name = profile.rsplit(".", 1)
        return next((each for each in self.engines if each.name == name and each.adds == bool(base)), None)

    def by(self, profile: str) -> Release:
        """The release as it is with a profile: with an engine's images and pages, if it is an engine's."""
        engine = self.running(profile)
        if engine is None:
            return self
        own = {page.name: page for page in engine.pages}
        pages = [own.pop(page.name, page) for page in self.pages]
        return replace(
            self,
            images=(*self.images, *engine.images) if engine.adds else engine.images,
            published=engine.published, pages=(*pages, *own.values()), within=engine.within,
        )  # fmt: skip

    def asked(self, engines: Iterable[str]) -> str | None:
        """Which of these engines is one of this part's, if any is."""
        own = (self.engine, *(each.name for each in self.engines))
        return next((each for each in engines if each and each in own), None)

    def profile(self, requested: str | None, engine: str | None, known: str) -> str:
        """The profile to install.

        Args:
            requested: the profile that the user asks for.
            engine: an engine of this part that the user asks for; without one the part keeps the one that it has.
            known: the profile that the part is installed with; empty for a new one.
        """
        was = self.running(known)
        kept = "" if was and not was.adds else known.partition(".")[0]
        base = requested or kept or "small"
        chosen = was if engine is None else next((each for each in self.engines if each.name == engine), None)
        return chosen.over(base) if chosen else base


_PUBLISHED = tuple(
    str(pin(f"images.{key}.name"))
    for key in (
        *("kfp-api-server", "kfp-persistence-agent", "kfp-scheduled-workflow-controller", "kfp-driver", "kfp-launcher"),
        *("kfp-frontend", "kfp-metadata-envoy", "ml-metadata", "workflow-controller", "argoexec", "mysql", "seaweedfs"),
        "alpine",
    )
)
_LATER = tuple(str(pin(f"images.{key}.name")) for key in ("kfp-driver", "kfp-launcher", "argoexec"))
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
        engine="dashboard",
        engines=(
            Engine(
                name="grafana",
                published=(str(pin("images.grafana.name")),),
                pages=(Page("grafana", "grafana", 3000, what="the dashboards, in Grafana", login="grafana"),),
                within=900,
                adds=True,
                unasked=("small", "full"),
                disk=1e9,
                patience=420,
                title="Grafana",
                instead="lab dashboard",
            ),
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
                later=_LATER,
                pages=(
                    # They pass requests to the API on, so that it is at the same address as with the other engine.
                    Page(
                        "pipelines",
                        "ml-pipeline-ui",
                        80,
                        what="Kubeflow's pages, and the API for kfp.Client",
                        local=8888,
                    ),
                    Page("kubeflow", "ml-pipeline-ui", 80, what="the same", local=8888),
                ),
                within=1500,
                beside={"tracking": {"kubeflow.mlflow.endpoint": "http://mlflow.mlops-lab-tracking.svc:5000"}},
                unasked=("full",),
                processors=("amd64",),  # kubeflow/pipelines#12705; ML Metadata: #10308
                disk=4e9,
                patience=900,
                title="Kubeflow Pipelines",
                instead="lab open pipelines",
            ),
        ),
    ),
    Release(
        part="logging",
        chart="logging",
        images=(*(image.name for image in victoria_logs.IMAGES), flight_delay.IMAGES[0].name),
        pages=(Page("logs", "victoria-logs", 9428, "/select/vmui/", "the logs of all containers, to search"),),
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
