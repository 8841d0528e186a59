"""An image that the learner has pushed to the cluster's registry: its digest, and what is in it.

It is read from the registry, since the engine's image of that name need not be the one that the nodes pull.
"""

from __future__ import annotations

import io
import json
import shutil
import tarfile
import tempfile
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from mlops_lab.base.loopback import opened
from mlops_lab.checks import Lab, LabError
from mlops_lab.cluster import names, registry
from mlops_lab.measure.images import layers, packed

_ADDRESS = f"http://127.0.0.1:{names.REGISTRY_PORT}/v2"
_KINDS = (
    "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.oci.image.index.v1+json"
)
_WITHIN = 30.0  # s for each answer
Plain = dict[str, Any]


async def digest(lab: Lab, image: str) -> str:
    """The digest of what the registry has under a name, such as `model:1`; empty where it has nothing.

    Raises:
        LabError: the cluster does not pull from this machine's registry.
    """
    _own(lab)
    return await lab.time.in_thread(registry.digest, image)


async def content(lab: Lab, image: str, base: str, needles: Mapping[str, bytes]) -> layers.Content:
    """What is in an image that is there, but for the layers of its base image, which are not searched.

    Args:
        image, base: their names in the registry, such as `model:1`.
        needles: pieces of text to look for, by a name for the report: also packed, and in Base64 and hexadecimal.

    Raises:
        LabError: the registry does not answer, has no such image, or the cluster does not pull from it.
    """
    _own(lab)
    return await lab.time.in_thread(_read, image, base, needles)


def _own(lab: Lab) -> None:
    if lab.platform.registry != names.REGISTRY_PREFIX:
        raise LabError(
            f"images are pushed to {names.REGISTRY_PREFIX}, and this cluster pulls from {lab.platform.registry}",
            "use a cluster that `lab up` created on this machine",
        )


def _read(image: str, base: str, needles: Mapping[str, bytes]) -> layers.Content:
    """Lay the image out as `docker save` does, and read that; in place of a layer of the base there is an empty one."""
    skip = set(json.loads(_config(base)[1])["rootfs"]["diff_ids"])
    manifest, config = _config(image)
    with tempfile.TemporaryDirectory(prefix="mlops-lab-image-") as folder:
        archive = Path(folder) / "image.tar"
        with tarfile.open(archive, "w") as outer:
            parts = [f"{place}.tar" for place in range(len(manifest["layers"]))]
            _add(outer, "manifest.json", json.dumps([{"Config": "config.json", "Layers": parts}]).encode())
            _add(outer, "config.json", config)
            digests = json.loads(config)["rootfs"]["diff_ids"]
            for name, layer, of in zip(parts, manifest["layers"], digests, strict=True):
                if of in skip:
                    _add(outer, name, bytes(tarfile.RECORDSIZE))
                else:
                    _add_layer(outer, name, _repository(image), str(layer["digest"]), Path(folder) / "layer")
        return packed.read(archive, needles, skip)


def _config(image: str) -> tuple[Plain, bytes]:
    """An image's manifest, and its configuration."""
    repository, reference = _repository(image), image.rpartition(":")[2]
    manifest = json.loads(_text(f"{repository}/manifests/{reference}"))
    if "manifests" in manifest:  # an index: the first one that is for a system, and no attestation
        fit = [
            each for each in manifest["manifests"] if (each.get("platform") or {}).get("os") not in (None, "unknown")
        ]
        manifest = json.loads(_text(f"{repository}/manifests/{(fit or manifest['manifests'])[0]['digest']}"))
    return manifest, _text(f"{repository}/blobs/{manifest['config']['digest']}")


def _repository(image: str) -> str:
    return image.rpartition(":")[0]


def _text(path: str) -> bytes:
    with _opened(path) as answer:
        return answer.read()


def _add(outer: tarfile.TarFile, name: str, text: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(text)
    outer.addfile(member, io.BytesIO(text))


def _add_layer(outer: tarfile.TarFile, name: str, repository: str, of: str, kept: Path) -> None:
    with _opened(f"{repository}/blobs/{of}") as answer, kept.open("wb") as file:
        shutil.copyfileobj(answer, file)
    outer.add(kept, name)


def _opened(path: str) -> IO[bytes]:
    request = urllib.request.Request(f"{_ADDRESS}/{path}", headers={"Accept": _KINDS})
    try:
        return opened(request, within=_WITHIN)
    except urllib.error.HTTPError as refused:
        raise LabError(f"the registry answers {path} with status {refused.code}", "push the image again") from refused
    except OSError as trouble:
        raise LabError(f"the registry does not answer: {trouble}", "see what is wrong: lab status") from trouble
