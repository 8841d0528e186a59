"""The BentoML flavour: the same contract, served by BentoML, which also batches requests to /score.

POST /predict and GET /version are the flight-delay server's own application, mounted; /healthz, /readyz and /metrics
are BentoML's, with this service's state in them. POST /score takes rows and gives probabilities alone, and is what
BentoML is for: rows of requests that come at about the same time are answered in one call of the model.

    bentoml serve serving.bento:FlightDelay
"""

import os
import signal
import threading

import bentoml
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily
from server.app import create
from server.schema import Flight

from serving.settings import following

model = following()


@bentoml.asgi_app(create(model), path="/")  # type: ignore[arg-type]
@bentoml.service(name="flight-delay", workers=1, traffic={"timeout": 30}, metrics={"enabled": True})
class FlightDelay:
    """The model that an alias means, or a fixed version of it."""

    def __init__(self) -> None:
        self._own = CollectorRegistry()
        self._own.register(model.seen)
        self._own.register(_Model())
        model.start_loading()
        threading.Thread(target=_end, daemon=True).start()

    @bentoml.api(route="/score", batchable=True, max_batch_size=256, max_latency_ms=1000)  # type: ignore[untyped-decorator]
    def score(self, rows: list[Flight]) -> list[float]:
        """For each flight the probability of an arrival 15 minutes late or later."""
        return model.probabilities([row.__dict__ for row in rows])

    async def __is_ready__(self) -> bool:
        return not model.reason

    async def __metrics__(self, original: str) -> str:
        return original + generate_latest(self._own).decode()


class _Model:
    """What a registry for several processes can't hold: the version that answers, and how long it took to load."""

    def collect(self):  # type: ignore[no-untyped-def]
        """The two metrics, named as the FastAPI flavour has them."""
        yield InfoMetricFamily("model", "The model that answers.", value={"version": model.version})
        yield GaugeMetricFamily("model_load_seconds", "Seconds that loading took; 0 until then.", model.load_seconds)


def _end() -> None:
    """End the whole server when no version could be had in time: this process is one of its workers."""
    model.gave_up.wait()
    os.kill(os.getppid(), signal.SIGTERM)
