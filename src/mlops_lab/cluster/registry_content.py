"""What the cluster's registry has under a name, blob by blob: read for a bundle, and put back from one.

The layers are as they were pushed, compressed, so nothing is packed again; the registry itself holds each blob against
its digest.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from mlops_lab.base.errors import LabError
from mlops_lab.cluster import names
from mlops_lab.cluster.registry import MANIFESTS

_CHUNK = 1 << 20
_WITHIN = 120.0  # s that the registry may take for one answer; it stores a layer in that time
_HINT = f"look at its log (docker logs {names.REGISTRY}) and at the free disk space, then try again: it goes on there"


@dataclass(frozen=True)
class Tree:
    """All that a name stands for.

    Attributes:
        digest: of its manifest.
        manifests: by digest the kind and the content of each; those that others refer to come before them.
        blobs: the size of each configuration and layer, by digest.
    """

    digest: str
    manifests: dict[str, tuple[str, bytes]]
    blobs: dict[str, int]


def tree(name: str) -> Tree:
    """What the registry has under a name, such as `load:v1`.

    Raises:
        LabError: it does not have that, or not all of it.
    """
    repository, _, tag = name.rpartition(":")
    manifests: dict[str, tuple[str, bytes]] = {}
    blobs: dict[str, int] = {}

    def visit(reference: str, optional: bool = False) -> str:
        with _answer("GET", f"/v2/{repository}/manifests/{reference}", {"Accept": MANIFESTS}) as answer:
            kind, content = answer.getheader("Content-Type", ""), _read(answer)
        if answer.status == 404 and optional:
            return ""
        _expect(answer, 200, f"the registry's manifest of {name}")
        found: dict[str, Any] = json.loads(content)
        for each in found.get("manifests") or ():  # for other processors some may not have been pushed
            visit(each["digest"], optional=True)
        for each in (*([found["config"]] if "config" in found else ()), *(found.get("layers") or ())):
            blobs[each["digest"]] = int(each["size"])
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        manifests[digest] = (kind, content)
        return digest

    return Tree(visit(tag), manifests, blobs)


def blob(repository: str, digest: str) -> Iterator[bytes]:
    """A blob, piece by piece.

    Raises:
        LabError: the registry does not have it.
    """
    with _answer("GET", f"/v2/{repository}/blobs/{digest}") as answer:
        _expect(answer, 200, f"{digest} of {repository}")
        while chunk := _read(answer, _CHUNK):
            yield chunk


def _read(answer: http.client.HTTPResponse, size: int | None = None) -> bytes:
    try:
        return answer.read(size)
    except (OSError, http.client.HTTPException) as broken:
        raise LabError("the registry has ended in the middle of an answer", _HINT) from broken


def has(repository: str, digest: str) -> bool:
    """Is a blob there, for this repository?"""
    with _answer("HEAD", f"/v2/{repository}/blobs/{digest}") as answer:
        return answer.status == 200


def put_blob(repository: str, digest: str, size: int, content: Iterable[bytes], elsewhere: str = "") -> bool:
    """Put a blob there if it is not there yet; returns whether its content was sent.

    Args:
        elsewhere: a repository that has it already.

    Raises:
        LabError: the registry does not take it.
    """
    if has(repository, digest):
        return False
    where = f"/v2/{repository}/blobs/uploads/"
    mount = f"?mount={digest}&from={elsewhere}" if elsewhere else ""
    with _answer("POST", where + mount, {"Content-Length": "0"}) as answer:
        if elsewhere and answer.status == 201:
            return False
        _expect(answer, 202, f"the upload of {digest}")
        place = answer.getheader("Location", "")
    path = place.partition(f":{names.REGISTRY_PORT}")[2] if "://" in place else place
    mark = "&" if "?" in path else "?"
    headers = {"Content-Length": str(size), "Content-Type": "application/octet-stream"}
    with _answer("PUT", f"{path}{mark}digest={digest}", headers, content) as answer:
        _expect(answer, 201, f"the upload of {digest}")
    return True


def put_manifest(repository: str, reference: str, kind: str, content: bytes) -> None:
    """Give a name, or a manifest that others refer to, its content.

    Args:
        reference: a tag, or the content's own digest.

    Raises:
        LabError: the registry does not take it, as when blobs are missing.
    """
    headers = {"Content-Type": kind, "Content-Length": str(len(content))}
    with _answer("PUT", f"/v2/{repository}/manifests/{reference}", headers, [content]) as answer:
        _expect(answer, 201, f"{repository}:{reference}")


@contextlib.contextmanager
def _answer(
    method: str, path: str, headers: dict[str, str] | None = None, body: Iterable[bytes] | None = None
) -> Iterator[http.client.HTTPResponse]:
    connection = http.client.HTTPConnection("127.0.0.1", names.REGISTRY_PORT, timeout=_WITHIN)
    with contextlib.closing(connection):
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
        except (OSError, http.client.HTTPException) as broken:
            raise LabError(f"the registry does not answer: {broken or type(broken).__name__}", _HINT) from broken
        yield answer


def _expect(answer: http.client.HTTPResponse, status: int, what: str) -> None:
    if answer.status != status:
        said = b"" if answer.isclosed() else _read(answer, 2000)
        raise LabError(f"the registry answers {answer.status} for {what}", _HINT, said.decode(errors="replace").strip())
