"""The cluster's registry: learners push to localhost:5001, nodes pull from it; only changed layers are transferred."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import platform
import shlex
import socket
import zlib

from mlops_lab.base.errors import LabError
from mlops_lab.base.locking import alone
from mlops_lab.base.paths import cache
from mlops_lab.base.state_files import cached, write
from mlops_lab.base.waiting import wait_until
from mlops_lab.cluster import names
from mlops_lab.engine import host
from mlops_lab.engine.docker import Docker, elsewhere
from mlops_lab.images.bundle.loaded import loaded
from mlops_lab.images.steps import Step

_LABEL = "mlops-lab.registry"
_PUSHED = "pushed.json"
_UP_WITHIN = 30.0  # s that it may take to listen
_WITHIN = 30.0  # s that it may take for one answer
_BLANKS = 4096  # bytes at most that a manifest of another tag is longer
MANIFESTS = ", ".join(
    f"application/vnd.{kind}+json"
    for kind in (
        *("docker.distribution.manifest.v2", "docker.distribution.manifest.list.v2"),
        *("oci.image.manifest.v1", "oci.image.index.v1"),
    )
)


def ensure(docker: Docker, image: str) -> None:
    """Make sure that the registry's container runs and answers.

    Args:
        image: the engine's name of the registry image.

    Raises:
        LabError: its port is taken, or it does not answer.
    """
    found = docker.inspect("container", names.REGISTRY)
    if found and _LABEL not in (found["Config"].get("Labels") or {}):
        raise LabError(
            f"there is a container {names.REGISTRY} that `lab` did not create",
            f"remove it: docker rm -f {names.REGISTRY}",
        )
    if found and not found["State"]["Running"]:
        docker.run("rm", "-f", "-v", names.REGISTRY)
        found = None
    if not found:
        if port_taken():
            raise taken()
        storage = cache() / "registry"
        storage.mkdir(parents=True, exist_ok=True)
        docker.run(
            *("run", "-d", "--name", names.REGISTRY, "--label", _LABEL, "--restart", "unless-stopped", *_user(docker)),
            *("-p", f"127.0.0.1:{names.REGISTRY_PORT}:5000", "-v", f"{storage}:/var/lib/registry"),
            *("-e", "REGISTRY_STORAGE_DELETE_ENABLED=true", "-e", "OTEL_TRACES_EXPORTER=none", image),
        )
    try:
        wait_until(
            lambda: (True if answers() else None, "no answer"),
            what="the registry", within=_UP_WITHIN, every=0.1, hint=f"look at its log: docker logs {names.REGISTRY}",
        )  # fmt: skip
    except LabError as silent:
        if away := elsewhere(docker):
            todo = f"use an engine on this machine; this one is on another ({away}), whose 127.0.0.1 is not reached"
            raise LabError(silent.message, todo) from silent
        raise


def _user(docker: Docker) -> tuple[str, ...]:
    """The container runs as the user, who can clear the cache then, unless its root is the user on this host."""
    rootless = "name=rootless" in (docker.facts.get("SecurityOptions") or ())
    # In WSL the folder is there as it is.
    desktop = docker.facts.get("OperatingSystem") == "Docker Desktop" and "microsoft" not in platform.release().lower()
    if rootless or desktop or not host.is_linux() or os.geteuid() == 0:
        return ()
    return "--user", f"{os.getuid()}:{os.getgid()}"


def attach(docker: Docker) -> None:
    """Put the registry on the nodes' network, once that is there."""
    found = docker.inspect("container", names.REGISTRY)
    if found and names.NETWORK not in found["NetworkSettings"]["Networks"]:
        docker.run("network", "connect", names.NETWORK, names.REGISTRY)


def serve(docker: Docker, name: str, step: Step) -> bool:
    """Push an image unless the registry has it already; returns whether it was pushed.

    Args:
        name: what it is called in the registry, such as `load:v1`.
        step: the step that made it.
    """
    if serves(name, step.key):
        return False
    target = f"{names.REGISTRY_PREFIX}/{name}"
    if (bundle := loaded()) and docker.inspect("image", step.ref) is None:
        raise LabError(
            f"the registry has lost {name}, which came from the bundle {bundle.file}",
            f"load it again: lab up --bundle {shlex.quote(bundle.file)}",
        )
    docker.push(step.ref, target, within=600, hint=f"look at its log: docker logs {names.REGISTRY}")
    note(name, step.key, digest(name))
    return True


def serves(name: str, key: str) -> str:
    """The digest of what the registry has under a name, if the step with this key made it; empty if not."""
    was = _pushed().get(name, {})
    found = digest(name) if was.get("key") == key else ""
    return found if found == was.get("digest") else ""


def note(name: str, key: str, digest: str) -> None:
    """Remember which step made what is in the registry under a name."""
    with alone(cache() / "locks" / "pushed.lock", "the list of pushed images", lambda text: None):
        pushed = _pushed() | {name: {"key": key, "digest": digest}}
        write(cache() / "registry" / _PUSHED, json.dumps(pushed, indent=1))


def digest(name: str) -> str:
    """The digest of what the registry has under a name; empty when it has nothing, or none is there.

    Raises:
        LabError: it does not answer in time.
    """
    repository, _, tag = name.rpartition(":")
    return _ask("HEAD", f"/v2/{repository}/manifests/{tag}").get("docker-content-digest", "")


def also(name: str, tag: str) -> bool:
    """Give an image another tag, with a manifest of its own: `forget` of the one leaves the other. Was it there?

    The manifests differ in blank space alone, and so in their digests.
    """
    repository, _, known = name.rpartition(":")
    found = _exchange("GET", f"/v2/{repository}/manifests/{known}", {"Accept": MANIFESTS})
    if found is None:
        return False
    kind, manifest = found
    blanks = b" " * (1 + zlib.crc32(tag.encode()) % _BLANKS)
    padded = manifest.replace(b"{", b"{" + blanks, 1)
    return _exchange("PUT", f"/v2/{repository}/manifests/{tag}", {"Content-Type": kind}, padded) is not None


def forget(name: str) -> None:
    """Remove a name and its manifest, if it is there; the blobs stay until the registry collects garbage."""
    with contextlib.suppress(LabError):
        if found := digest(name):
            _ask("DELETE", f"/v2/{name.rpartition(':')[0]}/manifests/{found}")


def answers() -> bool:
    """Does a registry answer at the port?"""
    with contextlib.suppress(LabError):
        return "docker-distribution-api-version" in _ask("GET", "/v2/", within=3)
    return False


def port_taken(port: int = names.REGISTRY_PORT) -> bool:
    """Does anything listen there?"""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def taken() -> LabError:
    """The port is another program's."""
    port = names.REGISTRY_PORT
    shows = f"ss -ltnp 'sport = :{port}'" if host.is_linux() else f"lsof -nP -iTCP:{port} -sTCP:LISTEN"
    return LabError(
        f"port {port} on 127.0.0.1 is taken by another program", f"stop it (`{shows}` shows which) and try again"
    )


def remove(docker: Docker) -> bool:
    """Remove the container; the images stay in the cache. Was there one?"""
    found = docker.inspect("container", names.REGISTRY)
    if not found or _LABEL not in (found["Config"].get("Labels") or {}):
        return False
    docker.run("rm", "-f", "-v", names.REGISTRY)
    return True


def _ask(method: str, path: str, within: float = 0) -> dict[str, str]:
    """One request: the answer's headers; none where it is no success, or nothing listens there.

    Raises:
        LabError: what listens there does not answer in time, so nothing is known. A disk that is busy may take seconds.
    """
    connection = http.client.HTTPConnection("127.0.0.1", names.REGISTRY_PORT, timeout=within or _WITHIN)
    try:
        with contextlib.suppress(ConnectionError, http.client.HTTPException), contextlib.closing(connection):
            connection.request(method, path, headers={"Accept": MANIFESTS})
            answer = connection.getresponse()
            if answer.status < 400:
                return {key.lower(): value for key, value in answer.getheaders()}
    except OSError as silent:
        raise LabError(
            f"the registry does not answer: {silent}", f"look at its log (docker logs {names.REGISTRY}), then try again"
        ) from silent
    return {}


def _exchange(method: str, path: str, headers: dict[str, str], body: bytes | None = None) -> tuple[str, bytes] | None:
    """One request: the answer's kind and content; None where it is no success."""
    connection = http.client.HTTPConnection("127.0.0.1", names.REGISTRY_PORT, timeout=10)
    with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(connection):
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        if answer.status < 400:
            return answer.getheader("Content-Type", ""), content
    return None


def _pushed() -> dict[str, dict[str, str]]:
    return cached(cache() / "registry" / _PUSHED, dict[str, dict[str, str]]) or {}
