"""An image registry in this process, with no more of the protocol than `lab` speaks; it holds digests as a real one."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import json
import re
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


def digest_of(content: bytes) -> str:
    """A content's digest."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


class FakeRegistry:
    """What is in it, and what was asked.

    Attributes:
        blobs: by repository and digest.
        manifests: kind and content, by repository and tag or digest.
        sent: digests of blobs whose content came.
        fails_after: so many blobs more are taken; then it answers 500. None for no end.
        pause: seconds until it says what it has.
    """

    def __init__(self) -> None:
        self.blobs: dict[tuple[str, str], bytes] = {}
        self.manifests: dict[tuple[str, str], tuple[str, bytes]] = {}
        self.sent: list[str] = []
        self.fails_after: int | None = None
        self.pause = 0.0
        self.port = 0

    def add(self, name: str, *layers: bytes) -> str:
        """Have an image; returns its digest."""
        repository, _, tag = name.rpartition(":")
        config = json.dumps({"of": name}).encode()
        for content in (config, *layers):
            self.blobs[repository, digest_of(content)] = content
        listed = [{"digest": digest_of(each), "size": len(each)} for each in (config, *layers)]
        content = json.dumps({"mediaType": MANIFEST, "config": listed[0], "layers": listed[1:]}).encode()
        for reference in (tag, digest_of(content)):
            self.manifests[repository, reference] = (MANIFEST, content)
        return digest_of(content)


@contextlib.contextmanager
def serving(registry: FakeRegistry) -> Iterator[FakeRegistry]:
    """The registry at a free port of 127.0.0.1."""

    class Handler(_Handler):
        fake = registry

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        registry.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield registry
        finally:
            server.shutdown()


class _Handler(http.server.BaseHTTPRequestHandler):
    fake: FakeRegistry
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        time.sleep(self.fake.pause)
        path = urlsplit(self.path).path
        if path == "/v2/":
            self._say(200)
        elif found := re.fullmatch(r"/v2/(.+)/manifests/([^/]+)", path):
            kind, content = self.fake.manifests.get((found[1], found[2]), ("", b""))
            self._say(200 if content else 404, content, {"Content-Type": kind})
        elif found := re.fullmatch(r"/v2/(.+)/blobs/(sha256:.+)", path):
            blob = self.fake.blobs.get((found[1], found[2]))
            self._say(404 if blob is None else 200, blob or b"")

    do_HEAD = do_GET

    def do_POST(self) -> None:
        url = urlsplit(self.path)
        query, repository = parse_qs(url.query), url.path.split("/v2/")[1].removesuffix("/blobs/uploads/")
        mount, source = query.get("mount", [""])[0], query.get("from", [""])[0]
        if (source, mount) in self.fake.blobs:
            self.fake.blobs[repository, mount] = self.fake.blobs[source, mount]
            self._say(201)
        else:
            place = f"http://127.0.0.1:{self.fake.port}/v2/{repository}/blobs/uploads/one?_state=x"
            self._say(202, headers={"Location": place})

    def do_PUT(self) -> None:
        url = urlsplit(self.path)
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if found := re.fullmatch(r"/v2/(.+)/manifests/([^/]+)", url.path):
            inside: dict[str, Any] = json.loads(content)
            named = [each["digest"] for each in (inside["config"], *inside["layers"])]
            if any((found[1], each) not in self.fake.blobs for each in named):
                self._say(400, b"BLOB_UNKNOWN")
                return
            for reference in (found[2], digest_of(content)):
                self.fake.manifests[found[1], reference] = (self.headers["Content-Type"], content)
            self._say(201)
            return
        if self.fake.fails_after == 0:
            self._say(500, b"no space left on device")
            return
        digest = parse_qs(url.query)["digest"][0]
        if digest_of(content) != digest:
            self._say(400, b"DIGEST_INVALID")
            return
        if self.fake.fails_after:
            self.fake.fails_after -= 1
        self.fake.blobs[url.path.split("/v2/")[1].partition("/blobs/")[0], digest] = content
        self.fake.sent.append(digest)
        self._say(201)

    def _say(self, status: int, content: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        told = {"Content-Length": str(len(content)), "Docker-Distribution-Api-Version": "registry/2.0"}
        if content:
            told["Docker-Content-Digest"] = digest_of(content)
        for key, value in {**told, **(headers or {})}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        pass
