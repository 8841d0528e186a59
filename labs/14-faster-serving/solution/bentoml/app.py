"""The flight-delay service with BentoML and ONNX Runtime. GET /healthz and /readyz are BentoML's own."""

import json
import os
from pathlib import Path

import bentoml
import joblib
import numpy as np
import onnxruntime
from contract import Flight, Question
from flight_delay.features import encode
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType


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


@bentoml.service(
    name="flight-delay", workers=1, traffic={"timeout": 30}, metrics={"enabled": False},
    logging={"access": {"enabled": False}},
)  # fmt: skip
class FlightDelay:
    """One worker, so one model in memory; it makes the graph when it starts, from the model's own file."""

    def __init__(self) -> None:
        folder = Path(os.environ.get("MODEL", "/model/v1"))
        self.version = json.loads((folder / "metadata.json").read_text())["model_version"]
        bundle = joblib.load(folder / "model.joblib")
        self.reads = bundle["features"], bundle["categories"], bundle["defaults"]
        graph = to_onnx(
            bundle["forest"],
            initial_types=[("rows", FloatTensorType([None, len(bundle["features"])]))],
            options={"zipmap": False},
        )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.forest = onnxruntime.InferenceSession(
            graph.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    @bentoml.api(route="/predict", input_spec=Question)
    async def predict(self, rows: list[Flight]) -> dict:
        """How likely each flight arrives 15 minutes late or later."""
        numbers = np.asarray(encode([row.__dict__ for row in rows], *self.reads), np.float32)
        probabilities = self.forest.run(["probabilities"], {"rows": numbers})[0][:, 1]
        return {"model_version": self.version, "probabilities": probabilities.tolist()}


FlightDelay.add_asgi_middleware(Unprocessable)
