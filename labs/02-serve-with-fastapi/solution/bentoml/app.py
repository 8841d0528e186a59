"""The flight-delay service with BentoML. GET /healthz and /readyz are BentoML's own; the latter asks __is_ready__."""

from pathlib import Path
from typing import Annotated

import bentoml
from flight_delay.model import Model
from pydantic import BaseModel, ConfigDict, Field

model = Model(Path("/model/v1"))

Code = Annotated[str, Field(pattern="^[A-Z0-9]{2,4}$")]


class Strict(BaseModel):
    """Unknown fields are refused, and so are NaN and infinity, numbers as text, and true for 1."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, strict=True)


class Flight(Strict):
    """A departure. The weather may be missing."""

    month: int = Field(ge=1, le=12)
    day: int = Field(ge=1, le=31)
    weekday: int = Field(ge=0, le=6)
    hour: int = Field(ge=0, le=23)
    carrier: Code
    origin: Code
    dest: Code
    distance: float = Field(gt=0, le=20000)
    temp: float | None = None
    wind_speed: float | None = None
    precip: float | None = None
    visib: float | None = None


class Question(Strict):
    """The body of POST /predict."""

    rows: list[Flight] = Field(min_length=1, max_length=1000)


class Unprocessable:
    """ASGI middleware: BentoML says 400 for a body that it refuses, and the contract 422. The reasons stay."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        """Pass all on, and change that status."""

        async def changing(message):
            if message["type"] == "http.response.start" and message["status"] == 400:
                message = {**message, "status": 422}
            await send(message)

        await self.app(scope, receive, changing)


@bentoml.service(name="flight-delay", workers=1, traffic={"timeout": 30})
class FlightDelay:
    """One worker, so one model in memory."""

    def __init__(self) -> None:
        model.start_loading()  # once, beside the server

    # Without `input_spec` the fields of the body would be the parameters, and others ignored. With `async` it runs in
    # the event loop: some milliseconds of pure computing, for which threads would only have to take turns.
    @bentoml.api(route="/predict", input_spec=Question)
    async def predict(self, rows: list[Flight]) -> dict:
        """How likely each flight arrives 15 minutes late or later."""
        if model.reason:
            raise bentoml.exceptions.ServiceUnavailable(model.reason)
        probabilities = model.probabilities([row.model_dump() for row in rows])
        return {"model_version": model.version, "probabilities": probabilities}

    async def __is_ready__(self) -> bool:
        return not model.reason


FlightDelay.add_asgi_middleware(Unprocessable)
