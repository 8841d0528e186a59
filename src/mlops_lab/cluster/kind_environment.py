"""The environment in which kind makes a cluster: its own settings, and the proxies of its nodes."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from mlops_lab.base.state_files import cached
from mlops_lab.cluster import names
from mlops_lab.engine.docker import CLIENT_ENV


@dataclass(frozen=True)
class _DockerConfig:
    """Of the settings of Docker's client, the proxies that containers get, by the engine's address or `default`."""

    proxies: dict[str, dict[str, str]] = field(default_factory=dict)


def environment() -> dict[str, str]:
    """What kind's own settings have to be, and that nodes don't ask a proxy for the registry beside them.

    kind gives its proxies to the nodes, and Docker those of its client's settings; neither knows that registry.
    """
    settings = cached(Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "config.json", _DockerConfig)
    proxies = settings.proxies if settings else {}
    fixed = {**CLIENT_ENV, "KIND_EXPERIMENTAL_PROVIDER": "docker", "KIND_EXPERIMENTAL_DOCKER_NETWORK": names.NETWORK}
    if not proxies and not any(_variable(name) for name in ("HTTP_PROXY", "HTTPS_PROXY")):
        return fixed
    direct = [_variable("NO_PROXY"), *(each.get("noProxy", "") for each in proxies.values()), names.REGISTRY]
    without = ",".join(filter(None, direct))
    return {**fixed, "NO_PROXY": without, "no_proxy": without}


def _variable(name: str) -> str:
    return os.environ.get(name) or os.environ.get(name.lower(), "")
