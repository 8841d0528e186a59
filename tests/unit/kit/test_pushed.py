"""An image that was pushed: read from a registry, which is a small one here."""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mlops_lab.checks import Lab, LabError
from mlops_lab.cluster import names, registry
from mlops_lab.kit import pushed
from tests.made_up import made_up_lab

KEYS = {"the key": b"k3y"}


class Registry:
    """Names and blobs, as the registry's API has them."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def blob(self, repository: str, content: bytes) -> str:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        self.kept[f"/v2/{repository}/blobs/{digest}"] = content
        return digest

    def push(self, repository: str, tag: str, *files: Mapping[str, bytes], env: str = "", index: bool = False) -> None:
        """An image with a layer for each of `files`; with an index also one of its attestations."""
        layers = [packed(each) for each in files]
        config = {
            "config": {"Env": [env]}, "history": [{"created_by": "COPY"} for _ in layers],
            "rootfs": {"diff_ids": [f"sha256:{hashlib.sha256(each).hexdigest()}" for each in layers]},
        }  # fmt: skip
        manifest = json.dumps({
            "config": {"digest": self.blob(repository, json.dumps(config).encode())},
            "layers": [{"digest": self.blob(repository, gzip.compress(each))} for each in layers],
        }).encode()  # fmt: skip
        if index:
            digest = f"sha256:{hashlib.sha256(manifest).hexdigest()}"
            self.kept[f"/v2/{repository}/manifests/{digest}"] = manifest
            about = [
                {"digest": "sha256:0", "platform": {"os": "unknown"}},
                {"digest": digest, "platform": {"os": "linux"}},
            ]
            manifest = json.dumps({"manifests": about}).encode()
        self.kept[f"/v2/{repository}/manifests/{tag}"] = manifest


def packed(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text))
    return out.getvalue()


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """A registry with an image to build on, in which the key stands as well."""
    made = Registry()

    class Server(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = made.kept.get(self.path)
            self.send_response(200 if found is not None else 404)
            self.end_headers()
            self.wfile.write(found or b"")

        def log_message(self, *words: object) -> None:
            pass

    made.push("base", "1", {"etc/known": b"k3y of nobody"})
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    monkeypatch.setattr(pushed, "_ADDRESS", f"http://127.0.0.1:{server.server_address[1]}/v2")
    yield made
    server.shutdown()
    server.server_close()


BASE = {"etc/known": b"k3y of nobody"}


def hits(lab: Lab, image: str) -> list[str]:
    return [str(each) for each in asyncio.run(pushed.content(lab, image, "base:1", KEYS)).hits]


@pytest.mark.parametrize("index", [False, True])
def test_own_layers_are_searched_and_the_bases_are_not(served: Registry, index: bool) -> None:
    served.push("model", "1", BASE, {"srv/server.py": b"print()"}, index=index)
    assert hits(made_up_lab(), "model:1") == []
    served.push("model", "2", BASE, {"srv/keys.env": b"KEY=k3y"}, index=index)
    assert hits(made_up_lab(), "model:2") == ["the key: /srv/keys.env, from COPY"]


@pytest.mark.parametrize("kept", [gzip.compress(packed({"keys.env": b"KEY=k3y"})), base64.b64encode(b"KEY=k3y")])
def test_a_packed_file_is_searched_and_one_in_other_letters(served: Registry, kept: bytes) -> None:
    served.push("model", "1", BASE, {"srv/kept": kept})
    assert hits(made_up_lab(), "model:1") == ["the key: /srv/kept, from COPY"]


def test_what_a_later_layer_deletes_is_still_there(served: Registry) -> None:
    served.push("model", "1", BASE, {"srv/keys.env": b"KEY=k3y"}, {"srv/.wh.keys.env": b""})
    (hit,) = hits(made_up_lab(), "model:1")
    assert "deleted by a later layer" in hit


def test_the_configuration_is_searched(served: Registry) -> None:
    served.push("model", "1", BASE, {"srv/server.py": b""}, env="KEY=k3y")
    assert hits(made_up_lab(), "model:1") == ["the key: the image's configuration (docker inspect)"]


def test_what_was_not_pushed_is_an_error(served: Registry) -> None:
    with pytest.raises(LabError, match="status 404"):
        hits(made_up_lab(), "model:1")


def test_the_digest_is_the_registrys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "digest", lambda name: f"sha256:{name}")
    assert asyncio.run(pushed.digest(made_up_lab(), "model:1")) == "sha256:model:1"


def test_another_registry_is_no_place_to_push_to() -> None:
    lab = made_up_lab()
    lab.platform.registry = "registry.example.org/me"
    with pytest.raises(LabError, match=names.REGISTRY_PREFIX):
        asyncio.run(pushed.digest(lab, "model:1"))
