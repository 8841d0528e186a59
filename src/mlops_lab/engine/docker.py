"""The Docker command line as the project uses it: run, inspect, info.

Only the client program is used (never a socket of our own), so contexts and Docker Desktop work as the user set them
up. Nothing here installs or starts anything; see `start`.
"""

from __future__ import annotations

import datetime
import functools
import json
import os
import platform
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mlops_lab.base.errors import LabError
from mlops_lab.base.processes import Completed, find, run
from mlops_lab.base.state_files import cached

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64", "amd64": "amd64"}


@dataclass(frozen=True)
class Docker:
    """A Docker engine that answered.

    Args:
        facts: the engine's own `docker info`, as parsed JSON.
    """

    facts: Mapping[str, Any]

    def run(
        self,
        *args: str | Path,
        within: float = 60,
        hint: str = "",
        stdin: str | bytes | None = None,
        check: bool = True,
    ) -> Completed:
        """`docker ARGS...`; see `processes.run`."""
        return run(["docker", *args], within=within, hint=hint, stdin=stdin, check=check, env=CLIENT_ENV)

    @functools.cached_property
    def arch(self) -> str:
        """The engine's architecture as Go and OCI spell it: amd64 or arm64."""
        return architecture(str(self.facts.get("Architecture", "")))

    @property
    def cpus(self) -> int:
        """Cores that containers may use."""
        return int(self.facts.get("NCPU", 1))

    @property
    def memory(self) -> int:
        """Bytes of memory that containers may use."""
        return int(self.facts.get("MemTotal", 0))

    @property
    def version(self) -> str:
        """The engine's version, such as 28.3.1."""
        return str(self.facts.get("ServerVersion", ""))

    @property
    def cgroup_version(self) -> int:
        """1 or 2."""
        return int(self.facts.get("CgroupVersion") or 1)

    def inspect(self, kind: str, name: str) -> dict[str, Any] | None:
        """`docker KIND inspect NAME` (image, container, network, volume), or None when there is no such thing.

        Raises:
            LabError: the engine doesn't say whether there is.
        """
        done = self.run(kind, "inspect", name, check=False)
        # No such thing, or none that can be, for its name; a socket that is gone is "no such file".
        absent = (f"no such {kind}", "no such object", f"{name} not found", "invalid reference")
        if done.code != 0 and any(sign.lower() in done.stderr.lower() for sign in absent):
            return None
        if done.code != 0:
            raise LabError(
                f"the Docker engine does not say whether there is {'an' if kind == 'image' else 'a'} {kind} {name}",
                "see whether it runs (docker info), then run the same command again",
                done.stderr.strip(),
            )
        found: list[dict[str, Any]] = json.loads(done.stdout)
        return found[0]

    def clock(self) -> float:
        """The time (Unix seconds) where containers run: a virtual machine's clock may be minutes from this host's."""
        said = self.run("info", "--format", "{{.SystemTime}}", check=False).stdout.strip()
        try:
            return datetime.datetime.fromisoformat(said).timestamp()
        except ValueError:
            return time.time()

    def push(self, image: str, target: str, *, within: float, hint: str) -> None:
        """Push an image under another name, which is not left behind in the engine.

        Raises:
            LabError: the registry does not take it within so many seconds.
        """
        self.run("tag", image, target)
        try:
            self.run("push", target, within=within, hint=hint)
        finally:
            self.run("rmi", target, check=False)


# No advertisements in logs; images hold what was built, with no attestation beside it that importers stumble over, are
# for the engine's own processor, whatever the user builds for, and are made by the engine itself: a builder of the
# user's in a container would keep them, and have none of those that they stand on.
CLIENT_ENV = {
    "DOCKER_CLI_HINTS": "false",
    "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",
    "DOCKER_DEFAULT_PLATFORM": "",
    "BUILDX_BUILDER": "",
}


def elsewhere(docker: Docker) -> str:
    """The address of an engine that is on another machine; empty for this one's, also for one behind a local socket.

    What a container publishes on 127.0.0.1 is then out of reach from here, if nobody forwards it.
    """
    if docker.facts.get("Name") in (None, "", socket.gethostname()):
        return ""
    words = ["docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]
    address = run(words, within=20, check=False, env=CLIENT_ENV).stdout.strip()
    scheme, _, place = address.partition("://")
    name = urlsplit(f"//{place}").hostname or ""
    own = name == "localhost" or name.startswith("127.") or name == "::1"
    return address if scheme in ("ssh", "tcp") and not own else ""


def architecture(machine: str) -> str:
    """The OCI name of a machine as `uname -m` calls it; the host's own when the argument is empty."""
    name = machine or platform.machine()
    return _ARCHITECTURES.get(name.lower(), name.lower())


def context() -> str:
    """The context by which the client finds its engine, as it chooses that itself; empty for the default one."""
    if os.environ.get("DOCKER_HOST"):
        return ""
    settings = cached(Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "config.json", dict) or {}
    name = os.environ.get("DOCKER_CONTEXT") or str(settings.get("currentContext") or "")
    return "" if name == "default" else name


def answering(within: float = 20) -> Docker | None:
    """The engine that answers now, or None when nothing does.

    Raises:
        LabError: as `asked`.
    """
    return asked(within)[0]


def asked(within: float = 20) -> tuple[Docker | None, str]:
    """The engine that answers now; or None, and what docker said instead, if it is there.

    Raises:
        LabError: an engine is there, but not for this user or this client, or it did not answer within the limit (s).
    """
    if not find("docker"):
        return None, ""
    done = run(["docker", "info", "--format", "{{json .}}"], within=within, check=False, env=CLIENT_ENV)
    told = ""
    try:
        facts: dict[str, Any] = json.loads(done.stdout)
    except json.JSONDecodeError:  # in WSL2 a script of Docker Desktop's says there that it is not let in
        facts, told = {}, done.stdout.strip()
    if facts.get("ServerVersion"):  # it may warn as well, say of a configuration of the client's that can't be read
        return Docker(facts), ""
    said = "\n".join([*filter(None, (told, done.stderr.strip())), *(facts.get("ServerErrors") or [])])
    if "permission denied while" in said.lower():
        raise LabError(
            "the Docker engine runs, but this user has no permission to use it",
            "add yourself to its group (`sudo usermod -aG docker $USER`, then log in again), or run as root",
            said,
        )
    if "API version" in said:
        raise LabError("the Docker engine and the docker client don't fit each other", "update the older one", said)
    return None, said
