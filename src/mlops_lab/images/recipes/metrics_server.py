"""metrics-server: the metrics API, which autoscaling on CPU reads. The built node image carries it already."""

from __future__ import annotations

from mlops_lab.base.versions import pin
from mlops_lab.images.recipes import kubernetes
from mlops_lab.images.sources import Image, Sources
from mlops_lab.images.steps import Step

NAME = str(pin("images.metrics-server.name"))


def build(sources: Sources) -> Step:
    """The same name from its Go module, compiled with Kubernetes' own libraries."""
    return kubernetes.metrics_server_image(sources)


IMAGES = (Image(NAME, build, published=True),)
