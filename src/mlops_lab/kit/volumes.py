"""Volumes of pods: which ConfigMaps come in by them."""

from __future__ import annotations

from mlops_lab.kube.client import Object


def config_maps(pod: Object) -> list[str]:
    """The names of the ConfigMaps that a pod's spec mounts, also such as are projected; one for each volume."""
    volumes = pod.get("volumes") or []
    sources = [*volumes, *(each for volume in volumes for each in (volume.get("projected") or {}).get("sources") or [])]
    return [str(each["configMap"].get("name")) for each in sources if each.get("configMap")]
