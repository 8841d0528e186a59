"""Numbers of pods that Kubernetes takes as a percentage, too."""

from __future__ import annotations

from collections.abc import Callable


def whole(number: int | str, pods: int, rounded: Callable[[float], int]) -> int:
    """A number of pods, or such a percentage of these, such as `25%`.

    Args:
        rounded: `math.floor` or `math.ceil`, as the field says.
    """
    text = str(number)
    return rounded(int(text[:-1]) * pods / 100) if text.endswith("%") else int(text)
