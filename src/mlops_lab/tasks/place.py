"""Where tasks stand: one of the exam's clusters, and how its nodes are reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mlops_lab.kube.client import Kube


@dataclass(frozen=True)
class Place:
    """A cluster for tasks.

    Attributes:
        kube: the administrator's connection.
        registry: the prefix of image names there.
        environment: variables with which a shell finds kubectl, helm and `ssh NODE`; PATH among them.
        nodes: the containers that are its nodes, by the node's name; empty where they are not this machine's.
        engine: the program that runs them.
        breakable: its nodes and its control plane may be broken by tasks.
    """

    kube: Kube
    registry: str
    environment: Mapping[str, str] = field(default_factory=dict)
    nodes: Mapping[str, str] = field(default_factory=dict)
    engine: str = "docker"
    breakable: bool = False
