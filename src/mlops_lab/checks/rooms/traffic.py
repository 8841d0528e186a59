"""`lab.traffic`: requests to the learner's Services from inside the cluster, one by one or as a load."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from mlops_lab.checks import current
from mlops_lab.checks.observation import Observation, Unmet
from mlops_lab.checks.rooms.time import eventually
from mlops_lab.kube.client import Kube
from mlops_lab.measure.traffic.report import LATE_AT_MOST

if TYPE_CHECKING:
    from mlops_lab.checks.rooms.objects import Objects
    from mlops_lab.measure.traffic.flights import HiddenRows
    from mlops_lab.measure.traffic.http import Answer
    from mlops_lab.measure.traffic.load import Load


class Traffic:
    """Requests to the Services of the lab's namespace."""

    def __init__(self, kube: Kube, namespace: str, objects: Objects) -> None:
        self._kube, self._namespace, self._objects = kube, namespace, objects

    def hidden_rows(self, count: int) -> HiddenRows:
        """Flights that the learner never sees, with the probabilities that each model version gives.

        Args:
            count: how many, at most 500; always the first ones of the same 500.
        """
        from mlops_lab.measure.traffic.flights import hidden_rows

        return hidden_rows(count)

    async def post(
        self,
        service: str,
        path: str,
        body: Any,
        *,
        headers: Mapping[str, str] | None = None,
        port: int = 80,
        within: float = 10.0,
    ) -> Answer:
        """One POST with a JSON body to a Service; as `request`."""
        return await self.request("POST", service, path, body, headers=headers, port=port, within=within)

    async def put(
        self,
        service: str,
        path: str,
        body: Any,
        *,
        headers: Mapping[str, str] | None = None,
        port: int = 80,
        within: float = 10.0,
    ) -> Answer:
        """One PUT with a JSON body to a Service; as `request`."""
        return await self.request("PUT", service, path, body, headers=headers, port=port, within=within)

    async def get(
        self,
        service: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        port: int = 80,
        within: float = 10.0,
    ) -> Answer:
        """One GET to a Service; as `request`."""
        return await self.request("GET", service, path, headers=headers, port=port, within=within)

    async def request(
        self,
        method: str,
        service: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        port: int = 80,
        within: float = 10.0,
    ) -> Answer:
        """One request to a Service, from inside the cluster.

        Args:
            body: sent as JSON; None sends none.
            within: seconds; without an answer by then the answer's status is 0.

        Returns:
            The answer; status 0 if there was none (`error` says why), and of its body the first 64 KiB.

        Raises:
            Failure: there is no such Service, or it does not have that port.
        """
        from mlops_lab.measure.traffic.http import ask, encoded

        url = await self._url(service, path, port)
        began = time.monotonic()
        with current.waits():
            answer = await ask(self._kube, method, url, body=body, headers=headers, within=within)
        if not answer.status and not answer.refused:
            current.trace().ran_out(began)
        current.trace().request(method, url, encoded(body), answer)
        return answer

    async def first_answer(
        self,
        ask: Callable[[], Awaitable[Answer]],
        test: Callable[[Answer], bool] = lambda answer: answer.status == 200,
        *,
        within: float,
    ) -> Answer:
        """Ask until an answer passes: the nodes learn of a new endpoint a moment after its pod is ready.

        Args:
            ask: such as `lambda: lab.traffic.get("model", "/version")`.
            within: seconds.

        Returns:
            The first answer that passes, or the last one there was.
        """
        seen = await eventually(ask, test, expected="an answer", shown=lambda answer: answer.shown, within=within)
        answer: Answer = seen.value
        return answer

    @contextlib.asynccontextmanager
    async def load(
        self,
        service: str,
        *,
        rate: float,
        body: Any,
        duration: float,
        path: str = "/predict",
        headers: Mapping[str, str] | None = None,
        ramp_to: float | None = None,
        port: int = 80,
        answer_within: float = 10.0,
        keepalive: bool = False,
        late_at_most: float = LATE_AT_MOST,
    ) -> AsyncIterator[Load]:
        """Open-loop load on a Service while the block runs.

        Args:
            rate: requests a second; with `ramp_to` the rate at the start, which then grows evenly to `ramp_to`.
            duration: seconds at most; leaving the block ends it earlier and waits until each request under way is
                answered or out of time, `await load.finished()` waits for its whole duration.
            headers: sent with each request.
            answer_within: seconds after which a request without an answer counts as failed.
            keepalive: reuse connections; without it each request opens its own, as from many clients.
            late_at_most: seconds that 99 of 100 requests may leave late before the load counts as not sent. A check
                of failures alone may allow more than one of latencies.

        Raises:
            Failure: there is no such Service.
            LabError: the load could not be sent on its schedule.
        """
        from mlops_lab.measure.traffic.load import Load

        url = await self._url(service, path, port)
        load = Load(
            self._kube,
            url,
            rate=rate,
            ramp_to=ramp_to,
            duration=duration,
            body=body,
            headers=headers,
            answer_within=answer_within,
            keepalive=keepalive,
            late_at_most=late_at_most,
        )
        growing = f" to {ramp_to:g}" if ramp_to is not None else ""
        planned = f"{rate:g}{growing} requests a second, for up to {duration:g} s"
        current.trace().load(url, planned, lambda: load.seen)
        with current.waits(), current.trace().timing():
            async with load:
                yield load

    async def host(self, service: str) -> str:
        """The address at which pods reach a Service: its cluster IP, or its DNS name where it has none.

        Raises:
            Failure: there is no such Service.
        """
        # The cluster IP rather than the name: what is measured is the service, not a DNS look-up per request.
        address = (await self._objects.service(service))["spec"].get("clusterIP")
        return str(address) if address and address != "None" else f"{service}.{self._namespace}.svc"

    async def _url(self, service: str, path: str, port: int) -> str:
        spec = (await self._objects.service(service))["spec"]
        offered = [each["port"] for each in spec.get("ports") or []]
        if port not in offered:
            raise Unmet(
                Observation(False, f"Service {service} on port {port}", f"its ports: {', '.join(map(str, offered))}"),
                "clients call the port of the Service; its targetPort may be another one",
            )
        address = spec.get("clusterIP")
        host = address if address and address != "None" else f"{service}.{self._namespace}.svc"
        return f"http://{f'[{host}]' if ':' in host else host}:{port}{path}"
