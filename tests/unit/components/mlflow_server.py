"""A stand-in for an MLflow server, for what a model server asks of it: answers from a store in a folder, over HTTP.

It can be told to fail. The real server is used on the cluster (tests/e2e/test_inference.py).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.protos.model_registry_pb2 import GetModelVersion, GetModelVersionByAlias, GetModelVersionDownloadUri
from mlflow.protos.service_pb2 import GetLoggedModel
from mlflow.utils.proto_json_utils import message_to_json


class Server(ThreadingHTTPServer):
    """Answers for one store; `broken` makes every answer a 500."""

    daemon_threads = True

    def __init__(self, store: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.client, self.broken, self.asked = MlflowClient(store, store), False, 0

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked += 1
        parts = urlsplit(self.path)
        given = {name: values[0] for name, values in parse_qs(parts.query).items()}
        try:
            if self.server.broken:
                raise RuntimeError("told to fail")
            body, status = message_to_json(self._answer(parts.path.removeprefix("/api/2.0/mlflow/"), given)), 200
        except MlflowException as missing:
            body, status = missing.serialize_as_json(), missing.get_http_status_code()
        except RuntimeError as trouble:
            body, status = str(trouble), 500
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body.encode())

    def _answer(self, path: str, given: dict[str, str]) -> Any:
        client = self.server.client
        if path == "registered-models/alias":
            found = client.get_model_version_by_alias(given["name"], given["alias"])
            return GetModelVersionByAlias.Response(model_version=found.to_proto())
        if path == "model-versions/get":
            found = client.get_model_version(given["name"], given["version"])
            return GetModelVersion.Response(model_version=found.to_proto())
        if path == "model-versions/get-download-uri":
            uri = client.get_model_version_download_uri(given["name"], given["version"])
            return GetModelVersionDownloadUri.Response(artifact_uri=uri)
        if path.startswith("logged-models/"):
            return GetLoggedModel.Response(model=client.get_logged_model(path.split("/")[1]).to_proto())
        raise RuntimeError(f"the stand-in does not know {path}")

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def serving(store: str) -> Iterator[Server]:
    """A server until the block ends."""
    server = Server(store)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
