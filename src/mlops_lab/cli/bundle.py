"""lab bundle: one file with all that a machine without a network needs."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlops_lab.cli.images import Mode, mode_option

if TYPE_CHECKING:
    from mlops_lab.base.progress import Progress
    from mlops_lab.cluster.bundle_make import Selection
    from mlops_lab.images.bundle.form import Manifest
    from mlops_lab.images.sources import Sources
    from mlops_lab.images.steps import Step
    from mlops_lab.labs.catalog import About
    from mlops_lab.tasks.task import Description

ALL = "all"


@click.command()
@click.option(
    "--with", "parts", metavar="PART,...", multiple=True,
    help="Also what these parts need (tracking, monitoring, pipelines, logging), or a `class`; `all` for all four.",
)  # fmt: skip
@click.option("--labs", metavar="NN,...", multiple=True, help="Also what these labs need; `all` for all labs.")
@click.option("--exams", is_flag=True, help="Also what the exams' tasks need.")
@mode_option
@click.argument("file", type=click.Path(path_type=Path))
def bundle(parts: tuple[str, ...], labs: tuple[str, ...], exams: bool, mode: Mode, file: Path) -> None:
    """Write FILE, from which a machine without a network is set up.

    It has the cluster's images and those of the parts and labs named, with kind, kubectl, helm, Python packages, a list
    with the hash of each, and bills of materials. It is for machines of the same processor and system as this one.
    Interrupted, run it again: it goes on. Without parts and labs it is enough for the labs that need no part.

    On the other machine, with Python, a container engine, this project's folder and FILE:
    scripts/quickstart --bundle FILE.

    \b
    Examples:
      lab bundle core.bundle
      lab bundle class.bundle --labs 04,10,11
      lab bundle tracking.bundle --with tracking
      lab bundle everything.bundle --with all --labs all --exams
    """
    from mlops_lab.base.progress import Progress
    from mlops_lab.cluster.bundle_make import make
    from mlops_lab.engine import start
    from mlops_lab.images.bundle.meter import sized
    from mlops_lab.images.bundle.writing import digest_of, refuse_strangers

    wanted = selected(_words(parts), _words(labs), exams)
    refuse_strangers(file)
    progress = Progress()
    docker = start.ensure(progress.say)
    manifest = make(file, wanted, mode, docker, progress, os.environ.get("MLOPS_LAB_MIRROR", ""))
    for line in table(manifest):
        click.echo(line)
    click.echo(f"{file} has {sized(file.stat().st_size)}; its sha256: {digest_of(file, progress)}")
    then = shlex.join(["scripts/quickstart", "--bundle", str(file)])
    click.echo(f"next: copy it and the project's folder there, then: {then}")


def load(file: Path, progress: Progress, *, wait: bool = True) -> None:
    """What `lab up --bundle FILE` does first.

    Raises:
        LabError: the bundle can't be used here.
    """
    from mlops_lab.cluster.bundle_load import load as take
    from mlops_lab.engine import start
    from mlops_lab.images.bundle.archive import Archive

    archive = Archive(file)
    take(archive, start.ensure(progress.say), makers(), progress, wait=wait)


def selected(parts: Iterable[str], labs: Iterable[str], exams: bool) -> Selection:
    """What a bundle for these parts and labs has to hold.

    Args:
        parts: names of parts, `class`, or `all`.
        labs: numbers or names of labs, or `all`.

    Raises:
        UsageError: there is no such part or lab.
    """
    from mlops_lab.classroom.teacher.grading import BROUGHT
    from mlops_lab.classroom.teacher.place import RELEASE as CLASS
    from mlops_lab.cluster.bundle_make import Selection
    from mlops_lab.cluster.up import SERVED
    from mlops_lab.images.recipes import metrics_server, node, registry
    from mlops_lab.labs.catalog import about, exercises, resolve
    from mlops_lab.platform.releases import RELEASES, releases
    from mlops_lab.tasks.task import tasks

    named = list(labs)
    chosen = exercises() if ALL in named else sorted({resolve(each) for each in named}, key=lambda each: each.number)
    bank = [task.about for task in tasks()] if exams else []
    facts: list[About | Description] = [*(about(each) for each in chosen), *bank]
    needed = {part for each in facts for part in each.needs}
    words = list(parts)
    asked = [each.part for each in RELEASES] if ALL in words else [each for each in words if each != CLASS.part]
    installed = releases([*asked, *(each.part for each in RELEASES if each.part in needed)])
    if CLASS.part in words:  # `all` is what learners may meet
        installed.append(CLASS)

    images = [registry.NAME, node.NAME, metrics_server.NAME, *SERVED]
    images += [image for each in installed for image in each.images]
    images += [f"mlops-lab/{image}" for each in facts for image in each.images]
    groups = ["cluster"]
    if CLASS in installed:
        images += BROUGHT
        groups.append(CLASS.part)
    if any(each.part == "monitoring" for each in installed):
        groups.append("monitoring")
    if any(each.cluster == "nodes" for each in facts):
        groups.append("nodes")
    if any(each.addons for each in bank):
        from mlops_lab.images.recipes import traefik

        images.append(traefik.NAME)
        groups.append("traefik")
    folders = {name: make for group in groups for name, make in _makers()[group].items()}
    numbers = [each.number for each in chosen]
    return Selection(list(dict.fromkeys(images)), folders, [each.part for each in installed], numbers, exams)


def makers() -> dict[str, Callable[[Sources], Step]]:
    """What makes the steps whose folders a bundle may have, by the steps' names."""
    return {name: make for group in _makers().values() for name, make in group.items()}


def _makers() -> dict[str, dict[str, Callable[[Sources], Step]]]:
    """By what needs them: the folders that are made on the host and no image holds."""
    from mlops_lab.engine.docker import architecture
    from mlops_lab.images.catalog import sources
    from mlops_lab.images.recipes import exam_node, flight_delay, helm, kind, kueue, traefik
    from mlops_lab.platform.dashboard import library

    return {
        "cluster": {flight_delay.TRAIN: flight_delay.train, kind.NAME: kind.program, helm.NAME: helm.program},
        # What `lab dashboard` shows is this host's, whatever the engine's processor.
        "monitoring": {library.NAME: lambda _: library.package(sources("build", architecture("")))},
        "class": {kueue.MANIFESTS: kueue.manifests},
        "nodes": {exam_node.NAME: exam_node.files},
        "traefik": {traefik.DEFINITIONS: traefik.definitions},
    }


def table(manifest: Manifest) -> list[str]:
    """What a bundle holds and how large that is, for people."""
    from mlops_lab.images.bundle.form import member
    from mlops_lab.images.bundle.meter import sized

    files = manifest.files
    rows = [(name, files[each.file].size) for name, each in {**manifest.loaded, **manifest.folders}.items()]
    seen: set[str] = set()
    for name, image in manifest.served.items():
        rows.append((name, sum(files[member(each)].size for each in image.blobs if each not in seen)))
        seen.update(image.blobs)
    for folder, what in (("wheels/", "Python packages"), ("sbom/", "bills of materials")):
        rows.append((what, sum(file.size for name, file in files.items() if name.startswith(folder))))
    return [f"{sized(size):>8}  {name}" for name, size in rows]


def _words(given: Iterable[str]) -> list[str]:
    return [word.strip() for each in given for word in each.split(",") if word.strip()]
