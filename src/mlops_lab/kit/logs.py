"""The end of what a container wrote, for the evidence of a failure."""

from __future__ import annotations

import re

from mlops_lab.checks import Lab, LabError
from mlops_lab.kube.client import Object
from mlops_lab.kube.errors import Unreachable

WIDTH = 160  # characters of a line
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


async def last_lines(
    lab: Lab,
    pod: Object | str,
    count: int = 4,
    *,
    container: str | None = None,
    width: int = WIDTH,
    judged: bool = False,
) -> list[str]:
    """The last lines that a pod's container wrote; nothing where it has not written anything yet, or is gone.

    Args:
        pod: or its name.
        container: its first one if none is given.
        width: characters of a line.
        judged: they decide over the verdict, so a log that can't be had for the cluster's sake is a LabError.
    """
    name = pod if isinstance(pod, str) else pod["metadata"]["name"]
    if container is None and not isinstance(pod, str):
        container = pod["spec"]["containers"][0]["name"]
    try:
        text = await lab.objects.logs(name, container, tail=count)
    except LabError as trouble:  # it has not begun, as when an init container failed
        if judged and (trouble.transient or isinstance(trouble, Unreachable)):
            raise
        return []
    return [_COLOURS.sub("", line).strip()[:width] for line in text.splitlines()]
