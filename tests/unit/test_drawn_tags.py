"""Images under drawn tags: another manifest of the same image, and a registry that forgets it."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mlops_lab.cluster import names
from mlops_lab.measure.images import tags

KIND = "application/vnd.oci.image.manifest.v1+json"
MANIFEST = json.dumps({"schemaVersion": 2, "layers": [{"digest": "sha256:1"}]}).encode()
V2 = f"{names.REGISTRY_PREFIX}/flight-delay:v2"


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, bytes]]:
    """What a registry has, by path; it knows manifests by tag and by digest."""
    there = {"/v2/flight-delay/manifests/v2": MANIFEST}

    def digest(content: bytes) -> str:
        return f"sha256:{hashlib.sha256(content).hexdigest()}"

    class Registry(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = there.get(self.path)
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Type", KIND)
            self.send_header("Docker-Content-Digest", digest(content or b""))
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content or b"")

        do_HEAD = do_GET

        def do_PUT(self) -> None:
            assert self.headers["Content-Type"] == KIND
            there[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(201)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_DELETE(self) -> None:
            gone = [path for path, content in there.items() if self.path.endswith(digest(content))]
            for path in gone:
                del there[path]
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *words: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(names, "REGISTRY_PORT", server.server_address[1])
    yield there
    server.shutdown()
    server.server_close()


def test_an_image_gets_another_tag_and_loses_it_alone(kept: dict[str, bytes]) -> None:
    drawn = tags.tagged(V2, "k3m9x2p")
    assert drawn == f"{names.REGISTRY_PREFIX}/flight-delay:k3m9x2p"
    other = kept["/v2/flight-delay/manifests/k3m9x2p"]
    assert other != MANIFEST and json.loads(other) == json.loads(MANIFEST)
    tags.forgotten(drawn)
    assert kept == {"/v2/flight-delay/manifests/v2": MANIFEST}


def test_an_image_of_another_registry_keeps_its_name_and_is_never_forgotten(
    kept: dict[str, bytes],
) -> None:
    assert tags.tagged("registry.example/flight-delay:v2", "k3m9x2p") == "registry.example/flight-delay:v2"
    missing = f"{names.REGISTRY_PREFIX}/flight-delay:v9"
    assert tags.tagged(missing, "k3m9x2p") == missing
    tags.forgotten(V2)
    tags.forgotten("registry.example/flight-delay:v2")
    assert kept == {"/v2/flight-delay/manifests/v2": MANIFEST}
