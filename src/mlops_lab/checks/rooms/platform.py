"""`lab.platform`: the platform's services as the lab uses them, and the names under which the cluster knows things.

What a lab makes in MLflow and in Kubeflow Pipelines bears the lab's own name, so no call here asks for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mlops_lab.checks.current import change, in_thread
from mlops_lab.kube.client import Kube

if TYPE_CHECKING:
    from mlops_lab.measure.services.backfill import Past
    from mlops_lab.measure.services.pipelines import Pipelines as Engine
    from mlops_lab.measure.services.port_forwards import PortForwards
    from mlops_lab.measure.services.tracking import Tracking
    from mlops_lab.platform.dashboard.prometheus import Prometheus as Server
    from mlops_lab.platform.dashboard.prometheus import Series

Plain = dict[str, Any]


class Mlflow:
    """The lab's experiment and registered model in the cluster's MLflow, as the REST API's objects.

    Attributes:
        name: of both.
    """

    def __init__(self, tracking: Tracking, name: str) -> None:
        self._tracking, self.name = tracking, name

    async def ask(self, method: str, path: str, body: Any = None, **query: str | int) -> Plain:
        """Any question of the REST API below `/api/2.0/mlflow`; raises as `measure.services.rest.Rest.ask`."""
        call = in_thread if method == "GET" else change
        return await call(self._tracking.ask, method, path, body, **query)

    async def runs(self, where: str = "") -> list[Plain]:
        """The runs of the lab's experiment, newest first; none where there is no such experiment.

        Args:
            where: a filter in MLflow's search syntax, such as `attributes.status = 'FINISHED'`.
        """
        return await in_thread(self._tracking.runs, self.name, where)

    async def logged_models(self) -> list[Plain]:
        """The logged models of the lab's experiment, newest first."""
        return await in_thread(self._tracking.logged_models, self.name)

    async def versions(self) -> list[Plain]:
        """The versions of the lab's registered model, newest first."""
        return await in_thread(self._tracking.versions, self.name)

    async def by_alias(self, alias: str) -> Plain | None:
        """The version that an alias means; None when there is no such model or alias."""
        return await in_thread(self._tracking.by_alias, self.name, alias)

    async def set_alias(self, alias: str, version: str) -> None:
        """Make an alias mean a version."""
        await change(self._tracking.set_alias, self.name, alias, version)


class Pipelines:
    """The runs of the lab's experiment in the cluster's Kubeflow Pipelines, as the REST API's objects."""

    def __init__(self, engine: Engine, experiment: str) -> None:
        self._engine, self._experiment = engine, experiment

    async def ask(self, method: str, path: str, body: Any = None, **query: str | int) -> Plain:
        """Any question of the REST API below `/apis/v2beta1`; raises as `measure.services.rest.Rest.ask`."""
        call = in_thread if method == "GET" else change
        return await call(self._engine.ask, method, path, body, **query)

    async def start(self, spec: Plain, arguments: Plain, name: str = "") -> str:
        """Start a run of a compiled pipeline (`lab.work.pipeline`) and return its id."""
        return await change(self._engine.start, spec, arguments, experiment=self._experiment, name=name)

    async def run(self, run_id: str) -> Plain:
        """A run with its state and its tasks' details."""
        return await in_thread(self._engine.run, run_id)

    def over(self, run: Plain) -> bool:
        """Has a run ended, well or not?"""
        return self._engine.over(run)

    async def end(self, run_id: str) -> None:
        """Terminate a running run; one that has ended, or ends meanwhile, stays as it is."""
        await change(self._engine.end, run_id)

    async def runs(self) -> list[Plain]:
        """The lab's runs, newest first."""
        return await in_thread(self._engine.runs, self._experiment)

    async def artifacts(self, run_id: str) -> dict[str, Plain]:
        """A run's artifacts by their id: name, type, task, metadata; raises as `measure.services.pipelines`."""
        return await in_thread(self._engine.artifacts, run_id)

    async def log(self, run_id: str, task_id: str) -> str:
        """What a task printed; empty for one that never began."""
        return await in_thread(self._engine.log, run_id, task_id)


class Prometheus:
    """The cluster's Prometheus.

    Attributes:
        labels: what the series of the lab's own pods bear: `{"namespace": ...}`.
        matcher: the same for a query: `f'up{{job="pods", {lab.platform.prometheus.matcher}}}'`.
        limit: seconds after which a query without an answer is given up.
    """

    def __init__(self, kube: Kube, server: Server, image: str, namespace: str) -> None:
        self._kube, self._server, self._image = kube, server, image
        self.labels: Mapping[str, str] = {"namespace": namespace}
        self.matcher = f'namespace="{namespace}"'
        self.limit = kube.timeout

    async def query(self, expr: str, at: float | None = None) -> list[Series]:
        """The value of a query at one time (now, if none is given).

        Args:
            at: Unix seconds.

        Raises:
            QueryRefused: it is not a query, or none of numbers at one time.
            NoPrometheus: nobody answers.
        """
        return await in_thread(self._server.query, expr, at)

    async def values(self, series: str, label: str) -> list[str]:
        """The values that a label has in some series of the last hour, in order."""
        return await in_thread(self._server.values, series, label)

    async def backfill(
        self,
        pasts: Mapping[str, Past],
        at: int,
        *,
        labels: Mapping[str, str],
        within: float,
        namespace: str = "",
    ) -> None:
        """Give Prometheus the past of some pods of the checker's; see `measure.services.backfill`.

        Args:
            pasts: by the end of the pod's name.
            at: Unix time of the newest samples; not after Prometheus' own.
            labels: of the pods.
            within: seconds, the pods' start included.
            namespace: of the pods, that of a part of the platform; the tool's own if none is given.

        Raises:
            LabError: Prometheus has not scraped them in time.
        """
        import threading

        from mlops_lab.measure.cluster.environment import SYSTEM_NAMESPACE
        from mlops_lab.measure.services.backfill import backfill

        stop = threading.Event()
        try:
            await in_thread(
                backfill, self._kube, self._server, self._image, pasts, at, labels=labels, within=within,
                namespace=namespace or SYSTEM_NAMESPACE, stop=stop,
            )  # fmt: skip
        finally:
            stop.set()


class Platform:
    """The platform.

    Args:
        registry: the prefix of image names, such as `localhost:5001`.
        settings: the variables by which programs in the cluster find the platform; the ConfigMap `platform` has them.
    """

    def __init__(self, kube: Kube, namespace: str, registry: str, settings: Mapping[str, str]) -> None:
        self._kube, self._namespace = kube, namespace
        self.registry, self.settings = registry, settings
        self._open: PortForwards | None = None

    def image(self, tag: str) -> str:
        """The flight-delay image of a tag by the name that this cluster knows, such as `v2`."""
        return f"{self.registry}/flight-delay:{tag}"

    async def tagged(self, known: str, tag: str) -> str:
        """Give a flight-delay image another tag, so that no program knows it by its name; `untagged` takes it back.

        Args:
            known: its tag, such as `v2`.
            tag: the other one, which the check has drawn.

        Returns:
            Its name; that of the known tag where the cluster pulls from a registry that is not this machine's.
        """
        from mlops_lab.measure.images import tags

        return await change(tags.tagged, self.image(known), tag)

    async def untagged(self, *images: str) -> None:
        """Take names out of the registry that `tagged` gave, also where the check is cancelled meanwhile."""
        from mlops_lab.measure.images import tags

        for image in images:
            await change(tags.forgotten, image)

    @property
    def mlflow(self) -> Mlflow:
        """The cluster's MLflow."""
        from mlops_lab.measure.services.tracking import Tracking

        return Mlflow(Tracking(self._forwards()), self._namespace)

    @property
    def pipelines(self) -> Pipelines:
        """The cluster's Kubeflow Pipelines."""
        from mlops_lab.measure.services.pipelines import Pipelines as Engine

        return Pipelines(Engine(self._forwards()), self._namespace)

    @property
    def prometheus(self) -> Prometheus:
        """The cluster's Prometheus."""
        from mlops_lab.platform.dashboard.prometheus import Prometheus as Server

        forwards = self._forwards()
        server = Server(
            lambda: forwards.address("prometheus"), lambda: forwards.lost("prometheus"), limit=self._kube.timeout
        )
        return Prometheus(self._kube, server, self.image("v1"), self._namespace)

    async def address(self, page: str) -> str:
        """Where a page of the platform (`mlflow`, `pipelines`, `prometheus`) answers on this machine for now."""
        return await in_thread(self._forwards().address, page)

    def close(self) -> None:
        """Close the port forwards to the platform."""
        if self._open is not None:
            self._open.close()

    def _forwards(self) -> PortForwards:
        from mlops_lab.measure.services.port_forwards import PortForwards

        if self._open is None:
            self._open = PortForwards(self._kube)
        return self._open
