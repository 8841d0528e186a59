"""Kubernetes quantities, such as `500m` or `1Gi`, by their value."""

from __future__ import annotations

from decimal import Decimal


def quantity(value: str | float | Decimal) -> Decimal:
    """A quantity or a plain number by its value: `500m` is 0.5, `1Ki` is 1024.

    https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/

    Raises:
        ValueError: it is neither.
    """
    from kubernetes.utils.quantity import parse_quantity

    if isinstance(value, bool):
        raise ValueError(f"{value!r} is not a quantity")
    return Decimal(parse_quantity(str(value)))
