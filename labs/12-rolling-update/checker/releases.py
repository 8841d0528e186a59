"""What a run's images are called: tags and a repository that nobody has seen, so that no program knows them by name."""

from __future__ import annotations

import contextlib
import http.client
import json
from dataclasses import dataclass
from typing import Any

from mlops_lab.checks import Lab
from mlops_lab.cluster import names
from mlops_lab.cluster.registry import MANIFESTS
from mlops_lab.kit.drawn import drawn

LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # of drawn tags
# Few, since a registry keeps the names of those that it has had.
REPOSITORIES = ("late-arrivals", "flight-delay-weekly", "delay-model", "arrivals")


@dataclass(frozen=True)
class Names:
    """What the images of this run are called.

    Attributes:
        late: the name of none at first, and of the broken image from `pushed_late` on.
        later: the next good one.
        repository: the one that all are in, by as much as the registry allows.
    """

    good: str
    late: str
    later: str
    repository: str


async def images_called(lab: Lab) -> Names:
    """Give good images names that nobody knows: what an image is worth shows where it runs, and not in its name."""
    letters = drawn(lab, "tags")
    good, late, later = ("".join(letters.choices(LETTERS, k=7)) for _ in range(3))
    repository = letters.choice(REPOSITORIES)
    served = await called(lab, "v2", repository, good)
    return Names(served, f"{served.rpartition(':')[0]}:{late}", await called(lab, "v2", repository, later), repository)


async def pushed_late(lab: Lab) -> str:
    """Have the registry serve the broken image by the name of none so far; its name."""
    names = await lab.once(images_called)
    return await called(lab, "v3-broken", names.repository, names.late.rpartition(":")[2])


async def forgotten(lab: Lab) -> None:
    """Take the names of this run out of the registry."""
    names = await lab.once(images_called)
    await lab.platform.untagged(names.good, names.late, names.later)


async def called(lab: Lab, known: str, repository: str, tag: str) -> str:
    """An image of a known tag by another one in another repository; by as much of that as the registry allows."""
    image = await lab.platform.tagged(known, tag)
    moved = await lab.time.in_thread(also_in, image, repository) if image.endswith(f":{tag}") else ""
    if moved:
        await lab.platform.untagged(image)
    return moved or image


def also_in(image: str, repository: str) -> str:
    """Have the cluster's registry serve an image in another repository, too; nothing is copied.

    https://distribution.github.io/distribution/spec/api/#cross-repository-blob-mount

    Returns:
        Its name there; empty where it is not of this machine's registry, or that does not do it.
    """
    own, tag = f"{names.REGISTRY_PREFIX}/", image.rpartition(":")[2]
    if not image.startswith(own):
        return ""
    source = image.removeprefix(own).rpartition(":")[0]
    return f"{own}{repository}:{tag}" if _served(source, repository, tag) else ""


def _served(source: str, repository: str, reference: str) -> bool:
    """Have a manifest, and all that it names, in another repository of the registry."""
    status, kind, manifest = _asked("GET", f"{source}/manifests/{reference}", {"Accept": MANIFESTS})
    if status != 200:
        return False
    content: dict[str, Any] = json.loads(manifest)
    blobs = [each["digest"] for each in (content.get("config"), *content.get("layers", [])) if each]
    return (
        all(_served(source, repository, each["digest"]) for each in content.get("manifests", []))
        and all(_asked("POST", f"{repository}/blobs/uploads/?mount={each}&from={source}")[0] == 201 for each in blobs)
        and _asked("PUT", f"{repository}/manifests/{reference}", {"Content-Type": kind}, manifest)[0] == 201
    )


def _asked(
    method: str, path: str, headers: dict[str, str] | None = None, body: bytes | None = None
) -> tuple[int, str, bytes]:
    """One request to the registry: status (0: no answer), kind and content of the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", names.REGISTRY_PORT, timeout=10)
    with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(connection):
        connection.request(method, f"/v2/{path}", body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.getheader("Content-Type", ""), answer.read()
    return 0, "", b""
