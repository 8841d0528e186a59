"""The HTTP interface: POST /predict, GET /version, /healthz, /readyz and /metrics.

`/healthz` says that the process is alive; `/readyz` that it can answer, which a model that is still loading, or can't
be loaded, prevents. A prediction is computed in the event loop: it takes milliseconds of pure CPU, so threads would
only make requests fight for the same core.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import Response

from server.model import Model, NotLoaded
from server.observe import LOAD_SECONDS, MODEL, PREDICTIONS, Observed, say
from server.schema import Question


def create(model: Model) -> FastAPI:
    """The application around one model, which starts loading when the application does."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        say("listening", model_version=model.version)
        model.start_loading()
        yield
        say("stopping", model_version=model.version)

    app = FastAPI(title="flight-delay", version=model.version, lifespan=lifespan)
    app.add_middleware(Observed)
    MODEL.info({"version": model.version, "auc": str(model.metadata.get("auc", ""))})
    LOAD_SECONDS.set_function(lambda: model.load_seconds)

    # FastAPI's own answer repeats the input, and fails with 500 where that has a NaN, which JSON can't say.
    @app.exception_handler(RequestValidationError)
    async def refused(request: Request, wrong: RequestValidationError) -> Response:
        found = [{"loc": each["loc"], "type": each["type"], "msg": each["msg"]} for each in wrong.errors()]
        return JSONResponse({"detail": found}, status_code=422)

    # `async` in all of these: in threads they would have to wait for one, which a busy server hasn't got.
    @app.post("/predict")
    async def predict(question: Question) -> Response:
        try:
            version, answer = model.answer([row.__dict__ for row in question.rows])
        except NotLoaded as reason:
            return _unavailable(str(reason))
        for probability in answer:
            PREDICTIONS.observe(probability)
        return JSONResponse({"model_version": version, "probabilities": answer})

    @app.get("/version")
    async def version() -> dict[str, Any]:
        return {"model_version": model.version, "pod": socket.gethostname()}

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "alive"}

    @app.get("/readyz")
    async def readyz() -> Response:
        return _unavailable(model.reason) if model.reason else JSONResponse({"status": "ready"})

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    def _unavailable(reason: str) -> Response:
        return JSONResponse({"detail": reason, "model_version": model.version}, status_code=503)

    return app
