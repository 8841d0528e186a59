"""The additional images that a lab's programs run in; they are pulled or built when the lab is started, not before."""

from __future__ import annotations

import os
from collections.abc import Sequence

from mlops_lab.base.progress import Progress
from mlops_lab.cluster import kind, names, registry
from mlops_lab.cluster.record import current
from mlops_lab.engine import start
from mlops_lab.images import build
from mlops_lab.images.catalog import CATALOG


def known(short: str) -> bool:
    """Is there an image of the project's own by this short name, such as `workbench:1`?"""
    return _full(short) in CATALOG and CATALOG[_full(short)].served


def bring(wanted: Sequence[str], progress: Progress | None = None) -> None:
    """Make sure that these images are in the kind cluster's registry; missing ones are pulled or built.

    On a cluster of the user's nothing is done: the user has pushed its images.

    Args:
        wanted: short names, as a lab.toml has them.

    Raises:
        LabError: no engine answers, or an image can't be brought.
    """
    if not wanted or not current().is_kind:
        return
    shown = progress or Progress()
    docker = start.ensure(shown.say)
    steps = build.bring(
        [_full(short) for short in wanted], "auto", docker, shown, os.environ.get("MLOPS_LAB_MIRROR", "")
    )
    for short, step in zip(wanted, steps.values(), strict=True):
        if registry.serve(docker, short, step):
            kind.forget_images(docker, [f"{names.REGISTRY_PREFIX}/{short}"])
            shown.say(f"  ok pushed {names.REGISTRY_PREFIX}/{short}")


def _full(short: str) -> str:
    return f"mlops-lab/{short}"
