"""Lab 03: a secret is found in an image's layers as it was packed, or spelled."""

from __future__ import annotations

import base64
import io
import json
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.lab_programs import loaded


@pytest.fixture(scope="module")
def checks() -> Any:
    return loaded("03")


def tar(files: Mapping[str, bytes], mode: str = "w") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:  # type: ignore[call-overload]
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text))
    return out.getvalue()


def written(archive: Path, *of_layers: Mapping[str, bytes]) -> None:
    """An archive as `docker save` writes one, of layers with these files."""
    names = [f"{place}/layer.tar" for place in range(len(of_layers))]
    config = {
        "config": {},
        "history": [{"created_by": f"COPY {place}"} for place in range(len(names))],
        "rootfs": {"diff_ids": [f"sha256:{place}" for place in range(len(names))]},
    }
    files = {name: tar(layer) for name, layer in zip(names, of_layers, strict=True)}
    manifest = json.dumps([{"Config": "config.json", "Layers": names}]).encode()
    archive.write_bytes(tar({"manifest.json": manifest, "config.json": json.dumps(config).encode(), **files}))


def packed(kind: str, text: bytes) -> bytes:
    """A file with a text in it."""
    inner = io.BytesIO()
    if kind in ("zip", "program"):
        inner.write(b"#!/usr/bin/env python3\n" if kind == "program" else b"")
        with zipfile.ZipFile(inner, "a", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a/.env", text)
        return inner.getvalue()
    if kind in ("gz", "bz2", "xz"):
        return tar({".env": text}, f"w:{kind}")
    if kind == "base64":
        return base64.b64encode(text)
    if kind == "HEX":
        return text.hex().upper().encode()
    return text.hex().encode() if kind == "hex" else b"\x1f\x8bno gzip" + bytes(99) if kind == "broken" else text


@pytest.mark.parametrize(
    ("kind", "found"),
    [(kind, True) for kind in ("plain", "zip", "program", "gz", "bz2", "xz", "base64", "hex", "HEX")]
    + [("broken", False)],
)
@pytest.mark.parametrize("before", ["", "A", "AB"])
def test_a_secret_is_found_as_it_was_packed(
    checks: ModuleType, tmp_path: Path, kind: str, found: bool, before: str
) -> None:
    saved, token = loaded("03", "saved"), f"mark-{'0f' * 16}"
    planted = {checks.SECRETS[0]: token.encode(), checks.TITLE: b"title", checks.TEXT: b"text"}
    archive = tmp_path / "image.tar"
    file = packed(kind, f"{before}ARCHIVE_TOKEN={token}\n".encode())
    written(archive, {"usr/base": file}, {"./srv/kept": file, "srv/x": b"x"})
    hits = saved.searched(archive, planted, ["sha256:0"]).hits
    assert {str(hit) for hit in hits} == ({f"{checks.SECRETS[0]}: /srv/kept, from COPY 1"} if found else set())
