"""What is found in an image's layers, of archives such as `docker save` writes; the engine is not asked."""

import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from mlops_lab.base.errors import LabError
from mlops_lab.measure.images.layers import Content, read

SECRET = {"token": b"s3cret"}


def packed(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


def saved(folder: Path, *layers: Mapping[str, bytes], config: Mapping[str, object] | None = None) -> Path:
    """An archive of an image with these layers; `LAYER n` made each, and an instruction without a layer is between."""
    history = [{"created_by": "/bin/sh -c #(nop)  ENV A=1", "empty_layer": True}]
    history += [{"created_by": f"/bin/sh -c layer {number}"} for number in range(len(layers))]
    told = {"rootfs": {"diff_ids": [f"sha256:{n}" for n in range(len(layers))]}, "history": history, **(config or {})}
    manifest = [{"Config": "config.json", "Layers": [f"{number}/layer.tar" for number in range(len(layers))]}]
    files = {"config.json": json.dumps(told).encode(), "manifest.json": json.dumps(manifest).encode()}
    files |= {f"{number}/layer.tar": packed(each) for number, each in enumerate(layers)}
    archive = folder / "image.tar"
    archive.write_bytes(packed(files))
    return archive


def found(content: Content) -> list[tuple[str, bool]]:
    return [(hit.path, hit.deleted) for hit in content.hits]


def test_what_a_later_layer_deletes_counts_in_size_and_is_found(tmp_path: Path) -> None:
    content = read(saved(tmp_path, {"app/.env": b"A=s3cret"}, {"app/.wh..env": b"", "b": b"12"}), SECRET)
    assert content.size == 10
    assert found(content) == [("app/.env", True)]
    assert "deleted by a later layer" in str(content.hits[0])
    assert "RUN layer 0" in str(content.hits[0])


def test_a_deleted_folder_takes_its_files_along(tmp_path: Path) -> None:
    assert found(read(saved(tmp_path, {"app/sub/x": b"s3cret"}, {".wh.app": b""}), SECRET)) == [("app/sub/x", True)]


def test_text_is_found_across_the_borders_of_what_is_read_at_once(tmp_path: Path) -> None:
    assert found(read(saved(tmp_path, {"x": b"." * ((1 << 20) - 3) + b"s3cret"}), SECRET)) == [("x", False)]


def test_layers_of_a_base_are_measured_and_not_searched(tmp_path: Path) -> None:
    content = read(saved(tmp_path, {"x": b"s3cret"}, {"y": b"-"}), SECRET, skip=["sha256:0"])
    assert (content.size, found(content)) == (7, [])


@pytest.mark.parametrize(
    ("config", "place"),
    [
        ({"config": {"Env": ["TOKEN=s3cret"]}}, "configuration"),
        ({"config": {"Labels": {"a": "s3cret"}}}, "configuration"),
        ({"history": [{"created_by": "ARG T=s3cret", "empty_layer": True}, {"created_by": "x"}]}, "history"),
    ],
)
def test_environment_labels_and_history_count_too(tmp_path: Path, config: dict[str, object], place: str) -> None:
    (hit,) = read(saved(tmp_path, {"x": b"-"}, config=config), SECRET).hits
    assert hit.layer is None
    assert place in hit.path


def test_what_json_escapes_is_found_in_the_environment(tmp_path: Path) -> None:
    secret = {"token": 's3cr"et\\tokén'.encode()}
    config = {"config": {"Env": [f"TOKEN={secret['token'].decode()}"]}}
    assert len(read(saved(tmp_path, {"x": b"-"}, config=config), secret).hits) == 1


def test_an_image_without_it_has_no_hits(tmp_path: Path) -> None:
    assert found(read(saved(tmp_path, {"x": b"s3cre", "y": b"t"}), SECRET)) == []


@pytest.mark.parametrize("content", [b"", b"no archive", packed({"other": b""})])
def test_what_is_no_image_is_the_engines_fault(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "image.tar").write_bytes(content)
    with pytest.raises(LabError, match="archive"):
        read(tmp_path / "image.tar")
