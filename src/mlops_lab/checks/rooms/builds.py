"""`lab.work.image_builds()`: images built of the learner's Dockerfile, beside the other checks."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_lab.checks import current
from mlops_lab.checks.current import in_thread

if TYPE_CHECKING:
    from mlops_lab.measure.images.builds import Build, ImageBuilder
    from mlops_lab.measure.images.layers import Content


class ImageBuilds:
    """Builds images, and says what is in them; see `measure.images.builds`."""

    def __init__(self, builder: ImageBuilder) -> None:
        self._builder = builder

    async def pull(self, image: str) -> None:
        """Have a base image of the cluster's registry in the engine.

        Raises:
            LabError: the registry does not have it.
        """
        await in_thread(self._builder.pull, image)

    async def build(self, folder: Path, *, within: float, silent: float) -> Build:
        """Build a folder with the Dockerfile in it, without a network, within bounds of CPU and memory.

        Args:
            within: seconds, after which the build is ended.
            silent: seconds in which it prints nothing, after which it is ended.

        Raises:
            LabError: the engine itself failed.
        """
        current.trace().ran_here, began = True, time.monotonic()
        build = await in_thread(self._builder.build, folder, within=within, silent=silent)
        if not build.image and build.seconds >= min(within, silent):
            current.trace().ran_out(began)
        return build

    async def push(self, image: str) -> None:
        """Put an image where the nodes pull it from.

        Raises:
            LabError: the registry does not take it.
        """
        await in_thread(self._builder.push, image)

    async def content(
        self, image: str, needles: Mapping[str, bytes] | None = None, skip: tuple[str, ...] = ()
    ) -> Content:
        """What is in an image's layers; arguments as `measure.images.layers.read`.

        Raises:
            LabError: the engine does not write it out.
        """
        return await in_thread(self._builder.content, image, needles, skip)

    async def digests(self, image: str) -> tuple[str, ...]:
        """The digests of an image's layers; none if the engine does not have it."""
        return await in_thread(self._builder.digests, image)

    async def printed(self, image: str, *words: str, within: float = 60) -> str:
        """What a command prints in a container of a base image, which is gone afterwards.

        Args:
            within: seconds.

        Raises:
            LabError: it fails, or does not end.
        """
        return await in_thread(self._builder.printed, image, *words, within=within)


@contextlib.asynccontextmanager
async def image_builds(registry: str, repository: str) -> AsyncIterator[ImageBuilds]:
    """Image builds while the block runs; a build under way when it is left is ended, and what was built is gone.

    Args:
        registry: the prefix of image names, such as `localhost:5001`.
        repository: what the images are called in it.

    Raises:
        LabError: no engine is here, or the cluster does not pull from this machine's registry.
    """
    from mlops_lab.measure.images.builds import ImageBuilder

    builder = await in_thread(ImageBuilder, registry, repository)
    try:
        await in_thread(builder.__enter__)
        yield ImageBuilds(builder)
    finally:
        builder.stop()  # at once: whoever clears up may have to wait for a thread
        await asyncio.to_thread(builder.__exit__)
