"""What an image holds, written out by the engine: what was planted is looked for, also packed and in other letters."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path

from mlops_lab.base.processes import run
from mlops_lab.measure.images import packed
from mlops_lab.measure.images.layers import Content

from .planting import REST, SECRETS

SAVED_WITHIN = 180  # s


def content(image: str, planted: Mapping[str, bytes], skip: Collection[str]) -> Content:
    """What is in an image of this machine's engine, and where something of what was planted is.

    Args:
        planted: what to look for, by a name for the report.
        skip: digests of layers that are not searched.

    Raises:
        LabError: the engine does not write the image out.
    """
    with tempfile.TemporaryDirectory(prefix="mlops-lab-image-") as folder:
        archive = Path(folder) / "image.tar"
        hint = "see whether the engine runs, and free disk space: lab doctor"
        run(["docker", "save", "-o", archive, image], within=SAVED_WITHIN, hint=hint)
        return searched(archive, planted, skip)


def searched(archive: Path, planted: Mapping[str, bytes], skip: Collection[str]) -> Content:
    """The same of an archive that `docker save` wrote."""

    def those(*names: str) -> dict[str, bytes]:
        return {name: planted[name] for name in names if name in planted}

    others = [name for name in planted if name not in (*SECRETS, *REST)]
    return packed.read(archive, those(*SECRETS), skip, unspelled=those(*REST), plain=those(*others))
