"""All that lab 03 measures, once: the builds, what is in the image, and the pods that run it."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import Awaitable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from mlops_lab.checks import Lab, LabError, Observation
from mlops_lab.checks.rooms.builds import ImageBuilds
from mlops_lab.kit.predictions import Predictions, predicted
from mlops_lab.kit.side_by_side import together
from mlops_lab.measure.images.builds import Build
from mlops_lab.measure.images.layers import Content

from . import saved
from .beside import crowded, idle_end
from .drain import Drain, drained, quickest
from .instructions import distribution
from .planting import SERVER, START, TITLE, plant
from .pods import PLAIN, STRICT, UP_WITHIN, pods, remove_secrets, up, without_token

BUILD_IMAGE, RUN_IMAGE = "python-build:1", "python-run:1"
BUILT_WITHIN, SILENT = 300, 90  # s; the whole build, and what it may be silent for
LONGEST = 1 << 20  # characters of a Dockerfile
LARGEST = 2_000_000_000  # bytes; a larger image is not pushed at all
CHECKED_WITHIN = 540  # s for all that is measured
ANSWER_WITHIN = 20  # s
SIZES = (
    "import pathlib, tarfile, zipfile\n"
    "folder = pathlib.Path('/wheels')\n"
    "print(sum(each.file_size for wheel in folder.glob('*.whl') for each in zipfile.ZipFile(wheel).infolist())\n"
    "    + sum(each.size for sdist in folder.glob('*.tar.gz') for each in tarfile.open(sdist)))\n"
    "print(*(file.name for file in folder.iterdir() if file.is_file()))\n"
)


T = TypeVar("T")


@dataclass(frozen=True)
class Inside:
    """What is in the image, what that is compared with (in bytes), and what a second build made.

    Attributes:
        given: names of the packages in python-build:1.
    """

    content: Content
    base: int
    packages: int
    again: Build
    given: frozenset[str]


@dataclass
class Ran:
    """What the pods did; what comes after a failure is not there.

    Attributes:
        plain, strict: whether the one with all rights and the platform's came up.
        whose: the title of the server in the first, or that it has none.
        quickest: s that a batch of one flight took in the first at least; None if one was not answered.
        predicted, strictly_predicted: what they answered.
        drain: the end of a pod at work.
        crowded, idle: of the first, whether it answers many at once, and ends when it has nothing to do; that is not
            played where it is the one that is at work.
        tokenless: whether a pod without a token becomes ready.

    Of these four, why nothing can be said where something was too busy for it.
    """

    plain: Observation
    strict: Observation
    predicted: Predictions | None = None
    strictly_predicted: Predictions | None = None
    whose: str = ""
    quickest: float | None = None
    drain: Drain | LabError | None = None
    crowded: Observation | LabError | None = None
    idle: Observation | LabError | None = None
    tokenless: Observation | LabError | None = None


@dataclass(frozen=True)
class Found:
    """All that was measured; of an image that was not built, or is too large, nothing more.

    Attributes:
        title: of the server that was put into the copy.
    """

    built: Build
    title: str = ""
    ran: Ran | None = None
    inside: Inside | None = None


async def measured(lab: Lab) -> Found:
    """Build, read, run and end it; leaves nothing in the namespace."""
    # First of all, as it asks whether the cluster answers. A build takes a while, and is nobody's fault if it does not.
    await remove_secrets(lab)
    began = time.monotonic()
    with lab.work.copy() as apart:
        async with lab.work.image_builds() as builds:
            for name in (BUILD_IMAGE, RUN_IMAGE):
                await builds.pull(f"{lab.platform.registry}/{name}")
            planted = plant(apart.folder, lab.work.folder)
            built = await builds.build(apart.folder, within=BUILT_WITHIN, silent=SILENT)
            if not built.image or built.bytes > LARGEST:
                return Found(built)
            ran, inside = await together(
                run(lab, builds, built.image), look_into(lab, builds, built.image, apart.folder, planted, began)
            )
    return Found(built, planted[TITLE].decode(), ran, inside)


def dockerfile(folder: Path) -> str:
    """The text of the learner's Dockerfile; empty where it can't be read."""
    for file in (folder / "Dockerfile", folder / "dockerfile"):
        with contextlib.suppress(OSError):
            if file.is_file():
                with file.open(encoding="utf-8", errors="replace") as text:
                    return text.read(LONGEST)
    return ""


async def inside_the_image(lab: Lab) -> Inside:
    """What is in the image, which was built."""
    inside = (await lab.once(measured)).inside
    assert inside is not None
    return inside


async def look_into(
    lab: Lab, builds: ImageBuilds, image: str, workspace: Path, planted: dict[str, bytes], began: float
) -> Inside:
    """Read the layers, measure what they are compared with, and build once more with a changed line."""
    run_image, build_image = (f"{lab.platform.registry}/{name}" for name in (RUN_IMAGE, BUILD_IMAGE))
    own = await builds.digests(run_image)
    skip = (*own, *await builds.digests(build_image))
    content = await lab.time.in_thread(saved.content, image, planted, skip)
    if own and set(own) <= {layer.digest for layer in content.layers}:
        base = sum(layer.size for layer in content.layers if layer.digest in own)
    else:
        base = (await builds.content(run_image)).size
    unpacked, *archives = (await builds.printed(build_image, "python3", "-c", SIZES)).split()
    packages = int(unpacked) + sum(file.stat().st_size for file in (START / "service").rglob("*.py"))
    source = workspace / SERVER
    source.write_text(f"{source.read_text(encoding='utf-8')}# {uuid.uuid4().hex}\n", encoding="utf-8")
    left = max(UP_WITHIN, min(BUILT_WITHIN, began + CHECKED_WITHIN - time.monotonic()))
    again = await builds.build(workspace, within=left, silent=SILENT)
    return Inside(content, base, packages, again, frozenset(map(distribution, archives)))


async def run(lab: Lab, builds: ImageBuilds, image: str) -> Ran:
    """Run the image in two pods, ask both, and delete one of them while it works.

    That is the platform's. Where it does not answer as it should, of which another check tells, it is the one with all
    rights. What takes no share in that is done beside it.
    """
    await builds.push(image)
    async with pods(lab, image):
        found = Ran(*await asyncio.gather(up(lab, PLAIN), up(lab, STRICT)))
        if found.plain.ok:
            found.predicted = await first_predicted(lab, PLAIN)
            found.whose = await title(lab, PLAIN)
            if found.strict.ok:
                found.strictly_predicted = await first_predicted(lab, STRICT)
            if found.predicted.answer.status == 200:
                found.quickest = await quickest(lab, PLAIN)
                await end(lab, found, image)
    return found


async def end(lab: Lab, found: Ran, image: str) -> None:
    """Delete the pods, one of them while it works, and write down what came of it."""

    async def of_the_other() -> None:
        found.crowded = await known(crowded(lab, PLAIN))
        if strictly:
            found.idle = await known(idle_end(lab, PLAIN))

    async def at_work() -> None:
        found.drain = await known(drained(lab, STRICT if strictly else PLAIN))

    async def bare() -> None:
        found.tokenless = await known(without_token(lab, image))

    strictly = right(found.strictly_predicted)
    if strictly:
        await together(at_work(), of_the_other(), bare())
    else:
        await of_the_other()
        await together(at_work(), bare())


async def known(work: Awaitable[T]) -> T | LabError:
    """What came of it, or that the machine was too busy: of one thing, which holds up no verdict of another.

    So it is with a server that was changed, too, of which another check tells.
    """
    try:
        return await work
    except LabError as busy:
        return busy


def said(found: T | LabError | None) -> T:
    """What was found.

    Raises:
        LabError: something was too busy for it.
    """
    if isinstance(found, LabError):
        raise found
    assert found is not None
    return found


def right(found: Predictions | None) -> bool:
    """Whether a pod was asked, and gave the model's own values."""
    return found is not None and found.status().ok and bool(found.answer.fields_if_any) and found.values("v1").ok


async def title(lab: Lab, service: str) -> str:
    """What FastAPI says the server is called, or that it does not."""
    answer = await lab.traffic.first_answer(lambda: lab.traffic.get(service, "/openapi.json"), within=ANSWER_WITHIN)
    said = answer.fields_if_any.get("info")
    return str(said.get("title")) if isinstance(said, dict) else "no title"


async def first_predicted(lab: Lab, service: str) -> Predictions:
    """The first answer of a pod, or none; the nodes may not have heard of the pod yet."""
    return await predicted(
        lab, service, rows=20, within=ANSWER_WITHIN, answer_within=ANSWER_WITHIN, test=lambda answer: answer.status > 0
    )
