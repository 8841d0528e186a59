"""Image names in a lab's files: they have the local registry's prefix, which is replaced by the cluster's own."""

from __future__ import annotations

# The prefix in labs' files; on a cluster with another registry it is replaced.
REGISTRY = "localhost:5001"


def with_registry(text: str, registry: str) -> str:
    """The text with image names of the cluster's registry."""
    return text if registry == REGISTRY else text.replace(f"{REGISTRY}/", f"{registry.rstrip('/')}/")
