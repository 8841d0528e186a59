"""As much of an API server as vlagent asks: one node, its pods, their namespaces, and a watch that tells of changes."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

Object = dict[str, Any]


class ApiServer:
    """What is in the cluster; a change is told to those who watch."""

    def __init__(self, node: str) -> None:
        self.node = node
        self._pods: dict[str, Object] = {}
        self._namespaces: set[str] = set()
        self._events: list[Object] = []
        self._news = threading.Condition()

    def pod(self, namespace: str, name: str, **containers: str) -> None:
        """There is a pod of these containers, each with its identity; or it has others now."""
        with self._news:
            item = {
                "metadata": {
                    "name": name, "namespace": namespace, "labels": {"app": name.partition("-")[0]},
                    "resourceVersion": str(len(self._events) + 1),
                },
                "spec": {"nodeName": self.node, "containers": [{"name": each} for each in containers]},
                "status": {
                    "podIP": "10.0.0.1",
                    "containerStatuses": [
                        {"name": each, "containerID": f"containerd://{identity}"}
                        for each, identity in containers.items()
                    ],
                },
            }  # fmt: skip
            known = f"{namespace}/{name}" in self._pods
            self._pods[f"{namespace}/{name}"] = item
            self._namespaces.add(namespace)
            self._events.append({"type": "MODIFIED" if known else "ADDED", "object": item})
            self._news.notify_all()

    def answer(self, path: str) -> Object | None:
        """What it says to a request that is no watch."""
        with self._news:
            if path == f"/api/v1/nodes/{self.node}":
                return {"metadata": {"name": self.node}}
            if path == "/api/v1/nodes":
                return {"items": [{"metadata": {"name": self.node}}]}
            if path == "/api/v1/namespaces":
                return {"items": [{"metadata": {"name": each}} for each in sorted(self._namespaces)]}
            if path == "/api/v1/pods":
                return {"items": list(self._pods.values()), "metadata": {"resourceVersion": str(len(self._events))}}
        return None

    def events(self, since: int) -> Iterator[Object]:
        """What has happened after a version, and what happens."""
        while True:
            with self._news:
                while len(self._events) <= since:
                    self._news.wait(60)
                new = self._events[since:]
            yield from new
            since += len(new)

    @contextmanager
    def serving(self, kubeconfig: Path) -> Iterator[None]:
        """It listens on 127.0.0.1; the kubeconfig says where."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        names = {"clusters": "cluster", "users": "user", "contexts": "context"}
        config: Object = {kind: [{"name": "test", one: {}}] for kind, one in names.items()}
        config["clusters"][0]["cluster"] = {"server": f"http://127.0.0.1:{server.server_port}"}
        config["contexts"][0]["context"] = {"cluster": "test", "user": "test"}
        kubeconfig.write_text(yaml.safe_dump({**config, "current-context": "test"}))
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        cluster = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                where = urlsplit(self.path)
                words = parse_qs(where.query)
                found = cluster.answer(where.path)
                self.send_response(200 if found is not None else 404)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                if "watch" not in words:
                    self.wfile.write(json.dumps(found).encode())
                    return
                try:
                    for event in cluster.events(int(words.get("resourceVersion", ["0"])[0])):
                        self.wfile.write(json.dumps(event).encode() + b"\n")
                        self.wfile.flush()
                except OSError:
                    pass  # nobody listens any more

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler
