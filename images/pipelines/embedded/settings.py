"""The server's settings, all from environment variables that begin with PIPELINES_; the chart sets them."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Settings:
    """Every time is in seconds.

    Args:
        data: the folder of the database and the artifacts, on the volume.
        host, port: where to listen.
        pods: `module:factory` of the layer that runs pods.
        namespace: where task pods run.
        url: the server's address as pods see it.
        hosts: names, with spaces between, by which browsers may ask beside those of this machine and of the cluster,
            such as an Ingress has; `.example.com` stands for all below it.
        image: of drivers; launcher_image: of the program that wraps each task's command.
        artifacts: the root of artifact URIs. A user's program finds `minio://bucket/key` at `/minio/bucket/key`.
        service_account: of drivers and tasks; own_account is the server's, which no run may have.
        tick: between two looks at the pods while something runs.
        max_runs: runs that have a driver at once; more wait as PENDING.
        quota_patience: how long a pod that the quota or admission refuses is tried again.
        pull_patience: how long an image may fail to be pulled, or a container to be made.
        start_patience: how long a pod may be pending for any other reason, such as no node with room. An image that is
            still pulled is waited for.
        driver_lease: a running driver that says nothing for so long is replaced.
        driver_lives: how many drivers a run may use up, evictions included.
        pod_ttl: finished pods are deleted after that; their logs stay in the store.
        kill_grace: given to a task when its run is terminated.
        reserve: bytes that artifacts must leave free on the volume, for the database.
        requests, limits: of tasks that say nothing.
        driver_requests, driver_limits: of drivers.
        parallel: tasks of one run that may run at once.
        run_as: uid and gid of task pods, whatever the image says; Pod Security wants a number that is not 0.
    """

    data: Path = Path("/data")
    host: str = "0.0.0.0"
    port: int = 8888
    pods: str = "embedded.cluster:Cluster"
    namespace: str = "default"
    url: str = "http://ml-pipeline:8888"
    hosts: str = ""
    image: str = "localhost:5001/pipelines:1"
    launcher_image: str = "localhost:5001/pipelines-launcher:1"
    artifacts: str = "minio://mlpipeline"
    service_account: str = "pipeline-runner"
    own_account: str = "ml-pipeline"
    tick: float = 1.0
    max_runs: int = 10
    quota_patience: float = 60
    pull_patience: float = 60
    start_patience: float = 300
    driver_lease: float = 90
    driver_lives: int = 4
    pod_ttl: float = 600
    kill_grace: int = 10
    reserve: int = 64 << 20
    parallel: int = 8
    run_as: int = 1000
    requests: dict[str, str] = field(default_factory=lambda: {"cpu": "100m", "memory": "128Mi"})
    limits: dict[str, str] = field(default_factory=lambda: {"cpu": "1", "memory": "1Gi"})
    driver_requests: dict[str, str] = field(default_factory=lambda: {"cpu": "100m", "memory": "128Mi"})
    driver_limits: dict[str, str] = field(default_factory=lambda: {"cpu": "1", "memory": "512Mi"})

    @classmethod
    def from_environment(cls) -> Settings:
        """Read PIPELINES_DATA, PIPELINES_PORT and so on; mappings are JSON.

        Raises:
            ValueError: a variable can't be read as its type, or is not known.
        """
        known = {f"PIPELINES_{each.name.upper()}": each for each in fields(cls)}
        given: dict[str, Any] = {}
        for name, text in os.environ.items():
            if not name.startswith("PIPELINES_"):
                continue
            if name not in known:
                raise ValueError(f"{name} is no setting of this server")
            given[known[name].name] = _read(str(known[name].type), text)
        return cls(**given)


def _read(kind: str, text: str) -> Any:
    if kind.startswith("dict"):
        return dict(json.loads(text))
    return {"Path": Path, "int": int, "float": float, "str": str}[kind](text)
