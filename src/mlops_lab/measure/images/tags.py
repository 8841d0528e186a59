"""Images of the cluster's registry under tags that a check draws, so that nobody knows them by their names."""

from __future__ import annotations

from mlops_lab.cluster import names, registry
from mlops_lab.images.catalog import CATALOG


def tagged(image: str, tag: str) -> str:
    """Give an image another tag; see `forgotten`.

    Args:
        image: as the nodes pull it, such as `localhost:5001/flight-delay:v2`.

    Returns:
        Its name with that tag; its own one where the nodes pull from a registry that is not this machine's.
    """
    own = f"{names.REGISTRY_PREFIX}/"
    if not image.startswith(own) or not registry.also(image.removeprefix(own), tag):
        return image
    return f"{image.rpartition(':')[0]}:{tag}"


def forgotten(image: str) -> None:
    """Take a drawn tag out of the registry again; what nodes have pulled under it stays there.

    Tags of the catalog are left alone, as `tagged` may have kept one.
    """
    own = image.removeprefix(f"{names.REGISTRY_PREFIX}/")
    if own != image and f"mlops-lab/{own}" not in CATALOG:
        registry.forget(own)
