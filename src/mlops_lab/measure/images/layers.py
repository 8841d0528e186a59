"""What is in an image's layers, read from a `docker save` archive: files, sizes, and text that must not be there.

A layer stays in the image when a later one deletes its files, so each is read on its own. `packed` also sees what lies
inside an archive or a compressed file in a layer.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from mlops_lab.base.errors import LabError

_CHUNK = 1 << 20
_WHITEOUT = ".wh."


@dataclass(frozen=True)
class Layer:
    """One layer of an image.

    Attributes:
        digest: of its uncompressed content, as the image's configuration has it (`diff_id`).
        made_by: the instruction that made it, as the image's history has it.
        files: bytes of each regular file, by path without a leading `/`; a hard link has 0.
        gone: paths that it deletes from the layers below.
    """

    digest: str
    made_by: str
    files: Mapping[str, int]
    gone: Collection[str]

    @property
    def size(self) -> int:
        """Bytes of its files."""
        return sum(self.files.values())


@dataclass(frozen=True)
class Hit:
    """Where a piece of text was found: a layer's file, or (without a layer) the image's configuration."""

    needle: str
    layer: Layer | None
    path: str
    deleted: bool = False

    def __str__(self) -> str:
        where = f"/{self.path}, from {self.layer.made_by[:100]}" if self.layer else self.path
        return f"{self.needle}: {where}{' (deleted by a later layer, and still in the image)' if self.deleted else ''}"


@dataclass(frozen=True)
class Content:
    """An image: its layers from the lowest up, its configuration, and what was found of what was looked for."""

    layers: tuple[Layer, ...]
    config: Mapping[str, Any]
    hits: tuple[Hit, ...]

    @property
    def size(self) -> int:
        """Bytes of all files of all layers, what a later layer deletes or replaces included."""
        return sum(layer.size for layer in self.layers)


def read(archive: Path, needles: Mapping[str, bytes] | None = None, skip: Collection[str] = ()) -> Content:
    """Read an archive that `docker save` wrote of one image.

    Args:
        needles: pieces of text to look for in files and the configuration, by a name for the report.
        skip: digests of layers whose files are not searched, such as those of a base image.

    Raises:
        LabError: it is no such archive.
    """
    wanted = needles or {}
    try:
        with tarfile.open(archive) as outer:
            manifest = json.load(_member(outer, "manifest.json"))[0]
            text = _member(outer, manifest["Config"]).read()
            config: dict[str, Any] = json.loads(text)
            made = [str(each.get("created_by", "")) for each in config.get("history") or [] if not _empty(each)]
            digests = config["rootfs"]["diff_ids"]
            made += [""] * (len(digests) - len(made))
            layers, hits = [], [Hit(name, None, place) for name, place in _in_config(config, wanted)]
            for name, digest, by in zip(manifest["Layers"], digests, made, strict=False):
                layer, found = _layer(_member(outer, name), digest, _plain(by), {} if digest in skip else wanted)
                layers.append(layer)
                hits += found
    except (OSError, KeyError, IndexError, ValueError, tarfile.TarError) as broken:
        raise LabError(
            f"the image's archive can't be read: {broken}", "check free disk space and try again"
        ) from broken
    return Content(tuple(layers), config, tuple(_marked(hit, layers) for hit in hits))


def _layer(stream: IO[bytes], digest: str, by: str, needles: Mapping[str, bytes]) -> tuple[Layer, list[Hit]]:
    files: dict[str, int] = {}
    gone: list[str] = []
    found: list[tuple[str, str]] = []
    with tarfile.open(fileobj=stream, mode="r|*") as inner:  # an engine may have compressed it
        for member in inner:
            path = member.name.removeprefix("./").lstrip("/")
            folder, _, last = path.rpartition("/")
            if last.startswith(_WHITEOUT):
                gone.append(f"{folder}/{last.removeprefix(_WHITEOUT)}".lstrip("/"))
            elif member.isfile():
                files[path] = member.size
                content = inner.extractfile(member)
                found += [(name, path) for name in _in(content, needles)] if needles and content else []
            elif member.islnk():
                files[path] = 0
    layer = Layer(digest, by, files, gone)
    return layer, [Hit(name, layer, path) for name, path in found]


def _in(stream: IO[bytes], needles: Mapping[str, bytes]) -> set[str]:
    """The needles that a stream holds, also across the borders of what is read at once."""
    overlap = max(map(len, needles.values())) - 1
    found: set[str] = set()
    rest = b""
    while chunk := stream.read(_CHUNK):
        held = rest + chunk
        found |= {name for name, needle in needles.items() if needle in held}
        rest = held[-overlap:] if overlap else b""
    return found


def _in_config(config: Mapping[str, Any], needles: Mapping[str, bytes]) -> Iterator[tuple[str, str]]:
    """The needles in what runs (environment, labels, command) and in the history."""
    places = {
        "the image's configuration (docker inspect)": json.dumps(config.get("config") or {}),
        "the image's history (docker history)": json.dumps(config.get("history") or []),
    }
    for place, text in places.items():
        for name, needle in needles.items():
            word = needle.decode()
            if word in text or json.dumps(word)[1:-1] in text:  # JSON escapes quotes, backslashes and what is not ASCII
                yield name, place


def _marked(hit: Hit, layers: list[Layer]) -> Hit:
    """The hit, with whether a layer above deletes its file."""
    if hit.layer is None:
        return hit
    above = layers[layers.index(hit.layer) + 1 :]
    parts = hit.path.split("/")
    paths = {"/".join(parts[:end]) for end in range(1, len(parts) + 1)}
    return Hit(hit.needle, hit.layer, hit.path, any(paths.intersection(layer.gone) for layer in above))


def _member(outer: tarfile.TarFile, name: str) -> IO[bytes]:
    found = outer.getmember(name)
    if found.issym() or found.islnk():  # an engine writes a layer that two images share once
        base = name.rpartition("/")[0]
        target = _joined(base, found.linkname) if found.issym() else found.linkname
        found = outer.getmember(target)
    stream = outer.extractfile(found)
    if stream is None:
        raise KeyError(name)
    return stream


def _joined(base: str, link: str) -> str:
    import posixpath

    return posixpath.normpath(posixpath.join(base, link))


def _empty(entry: Mapping[str, Any]) -> bool:
    return bool(entry.get("empty_layer"))


def _plain(made_by: str) -> str:
    """An instruction as the Dockerfile has it, as far as the history tells."""
    text = made_by.replace("# buildkit", "").replace("/bin/sh -c #(nop)", "").strip()
    if text.startswith(("/bin/sh -c ", "|")):
        text = f"RUN {text.partition('/bin/sh -c ')[2]}"
    return " ".join(text.split())
