"""Image names in a lab's files: written with the local registry's prefix, put in place with the cluster's own."""

from __future__ import annotations

# The prefix in labs' files; a cluster that has another registry gets its own in its place.
REGISTRY = "localhost:5001"


def with_registry(text: str, registry: str) -> str:
    """The text with image names of the cluster's registry."""
    return text if registry == REGISTRY else text.replace(f"{REGISTRY}/", f"{registry.rstrip('/')}/")
