"""Volumes of pods: which ConfigMaps come in by them, and which are mounted at all."""

from __future__ import annotations

from mlops_lab.kit.pods import every_container
from mlops_lab.kube.client import Object


def config_maps(pod: Object) -> list[str]:
    """The names of the ConfigMaps that a pod's spec mounts, also such as are projected; one for each volume."""
    volumes = pod.get("volumes") or []
    sources = [*volumes, *(each for volume in volumes for each in (volume.get("projected") or {}).get("sources") or [])]
    return [str(each["configMap"].get("name")) for each in sources if each.get("configMap")]


def mounted(pod: Object) -> list[Object]:
    """The volumes of a pod's spec that one of its containers mounts."""
    names = {mount["name"] for each in every_container(pod) for mount in each.get("volumeMounts") or []}
    return [each for each in pod.get("volumes") or [] if each["name"] in names]
