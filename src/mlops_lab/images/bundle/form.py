"""What a bundle says of itself: its first member, `manifest.json`, names every other with its size and hash.

The archive is a plain tar, so `tar -t` lists it; what it holds is compressed already. Images that nodes pull are
there as the registry has them, by digest, so layers that images share are there once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, get_args, get_type_hints

from mlops_lab.base.errors import LabError

NAME = "manifest.json"
FORM = 1  # raised by whatever an older reader would take wrongly
# A member is a plain name in one of these folders: no other can be in the list, so none leads outside.
_MEMBER = re.compile(r"(wheels|engine|folders|sbom)/[A-Za-z0-9][A-Za-z0-9._+!-]{0,199}|blobs/sha256/[0-9a-f]{64}")
_HEX = re.compile(r"[0-9a-f]{64}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_KEY = re.compile(r"[0-9a-f]{12}")
_BLOBS = "blobs/sha256/"


class Unusable(LabError):
    """A file that can't be used as a bundle here; nothing was taken from it."""


@dataclass(frozen=True)
class File:
    """A member: its size in bytes and its hash."""

    size: int
    sha256: str


@dataclass(frozen=True)
class Served:
    """An image that nodes pull from the cluster's registry.

    Attributes:
        key: of the step that made it.
        name: what it is called in the registry, such as `load:v1`.
        digest: of what that name stands for.
        manifests: by digest what kind each is, that one last; they are members like blobs.
        blobs: digests of its configuration and layers.
    """

    key: str
    name: str
    digest: str
    manifests: dict[str, str]
    blobs: list[str]


@dataclass(frozen=True)
class Packed:
    """An image that the engine loads, or the folder that a step made.

    Attributes:
        key: of the step that made it.
        file: the member that has it.
        size: bytes that it takes when it is unpacked.
    """

    key: str
    file: str
    size: int


@dataclass(frozen=True)
class Manifest:
    """All that a bundle says of itself.

    Attributes:
        made: when, in UTC.
        project: the project's version, and its commit where that was known.
        engine: what its images are for, such as `linux/amd64`.
        host: what its programs and Python packages are for.
        mode: how its images were brought: pulled or built.
        pythons: the versions of Python that its packages are for.
        versions: of what is in it, for people.
        parts, labs, exams: what it was made for.
        locks: hashes of the lock files whose packages it has, by their name.
        served, loaded, folders: images by their name in the catalog, folders by their step's name.
        files: every member, in the archive's order.
    """

    made: str
    project: str
    engine: str
    host: str
    mode: str
    pythons: list[str]
    versions: dict[str, str]
    parts: list[str]
    labs: list[str]
    exams: bool
    locks: dict[str, str]
    served: dict[str, Served]
    loaded: dict[str, Packed]
    folders: dict[str, Packed]
    files: dict[str, File] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes of all members."""
        return sum(each.size for each in self.files.values())

    def text(self) -> str:
        """The manifest as its member has it."""
        return json.dumps({"mlops-lab bundle": FORM, **asdict(self)}, indent=1) + "\n"


def member(digest: str) -> str:
    """The member that holds a blob or a manifest of the registry."""
    return _BLOBS + digest.removeprefix("sha256:")


def plain(name: str) -> str:
    """An image's or a step's name as part of a member's name."""
    return re.sub(r"[^a-z0-9._-]+", "-", name.lower())


def parsed(content: bytes) -> Manifest:
    """The manifest that a member holds.

    Raises:
        ValueError: it is none, or names what no bundle has; the text says what.
    """
    found = json.loads(content)
    if not isinstance(found, dict) or "mlops-lab bundle" not in found:
        raise ValueError("its first member is no list of a bundle")
    if (form := found.pop("mlops-lab bundle")) != FORM:
        raise ValueError(f"it has form {form}, and this version reads form {FORM}")
    manifest: Manifest = _shaped(found, Manifest, "the list")
    _checked(manifest)
    return manifest


def _checked(manifest: Manifest) -> None:
    """See that all names are plain ones, and that all that is named is there."""
    if manifest.mode not in ("pull", "build"):
        raise ValueError(f"its images are neither pulled nor built but {manifest.mode!r}")
    for name, file in manifest.files.items():
        if not _MEMBER.fullmatch(name):
            raise ValueError(f"its list has the member {name!r}, which is no name that a bundle has")
        if file.size < 0 or not _HEX.fullmatch(file.sha256):
            raise ValueError(f"its list has no size or hash of {name}")
        if name.startswith(_BLOBS) and name != _BLOBS + file.sha256:
            raise ValueError(f"its list has another hash of {name}")
    for name, image in manifest.served.items():
        digests = [*image.blobs, *image.manifests]
        if list(image.manifests)[-1:] != [image.digest] or not all(map(_DIGEST.fullmatch, digests)):
            raise ValueError(f"it does not say what {name} stands for")
        if lacks := [each for each in digests if member(each) not in manifest.files]:
            raise ValueError(f"it lacks {lacks[0]} of {name}")
    for name, packed in {**manifest.loaded, **manifest.folders}.items():
        if packed.file not in manifest.files:
            raise ValueError(f"it lacks {packed.file}, which is {name}")
    results = (manifest.served, manifest.loaded, manifest.folders)
    for key in (each.key for found in results for each in found.values()):
        if not _KEY.fullmatch(key):
            raise ValueError(f"it has the key {key!r}, which is none")


def _shaped(value: Any, shape: Any, where: str) -> Any:
    """A JSON value as a dataclass, or as what it is to be."""
    if isinstance(shape, type) and shape in (Manifest, Served, Packed, File):
        if not isinstance(value, Mapping) or set(value) != {each.name for each in fields(shape)}:
            raise ValueError(f"{where} has other fields than it should")
        hints = get_type_hints(shape)
        return shape(**{key: _shaped(item, hints[key], f"{key} of {where}") for key, item in value.items()})
    inside = get_args(shape)  # dict[str, X], or list[X]
    if len(inside) == 2 and isinstance(value, dict):
        return {key: _shaped(item, inside[-1], f"{key} of {where}") for key, item in value.items()}
    if len(inside) == 1 and isinstance(value, list):
        return [_shaped(item, inside[-1], where) for item in value]
    if not inside and type(value) is shape:
        return value
    raise ValueError(f"{where} is no {getattr(shape, '__name__', shape)}")
