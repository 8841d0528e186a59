"""lab images list, build, push, sbom, prune."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import click

if TYPE_CHECKING:
    from mlops_lab.engine.docker import Docker
    from mlops_lab.images.steps import Step

Mode = Literal["auto", "pull", "build"]

mode_option = click.option(
    "--images",
    "mode",
    type=click.Choice(["auto", "pull", "build"]),
    default="auto",
    show_default=True,
    help="Pull published images, or build them; auto pulls if Docker Hub (or the mirror) answers, and builds if not.",
)


@click.group()
def images() -> None:
    """List, build, push, prune and account for the cluster's images.

    \b
    Examples:
      lab images list
      lab images build
      lab images sbom mlops-lab/load:v1
      lab images prune
    """


@images.command("list")
def list_images() -> None:
    """List the images, and which of them the container engine has.

    \b
    Examples:
      lab images list
    """
    import os

    from mlops_lab.engine.docker import answering, architecture
    from mlops_lab.images.build import last_mode
    from mlops_lab.images.bundle.loaded import loaded
    from mlops_lab.images.catalog import CATALOG, sources
    from mlops_lab.images.prune import images as held_images

    bundle = loaded()
    docker = answering()
    sizes = {held.name: held.size for held in held_images(docker)} if docker else {}
    arch, mirror = docker.arch if docker else architecture(""), os.environ.get("MLOPS_LAB_MIRROR", "")
    known = sources(last_mode() or "build", arch, mirror, offline=bool(bundle))
    width = max(len(name) for name in CATALOG)
    for name in CATALOG:
        step = known.image(name)
        if not known.brings(name):
            click.echo(f"{name.ljust(width)}  pulled by the nodes, once a pod asks for it")
            continue
        if bundle and step.ref in bundle.refs:
            click.echo(f"{name.ljust(width)}  in the registry, from the bundle {bundle.file}")
            continue
        how = "pulled" if step.name.startswith("pull/") else "built"
        state = f"{how}, {sizes[step.ref] / 1e6:.0f} MB" if step.ref in sizes else "not here yet"
        click.echo(f"{name.ljust(width)}  {state}")


@images.command()
@mode_option
@click.argument("names", nargs=-1)
def build(mode: Mode, names: tuple[str, ...]) -> None:
    """Pull or build images without a cluster: all, or those in NAMES.

    Images that exist already are not made again.

    \b
    Examples:
      lab images build
      lab images build --images build mlops-lab/load:v1
    """
    wanted = _named(names)
    _, steps = _bring(mode, wanted)
    for name, step in steps.items():
        click.echo(f"{name} is {step.ref}")
    for name in wanted:
        if name not in steps:
            click.echo(f"{name} is pulled by the nodes, once a pod asks for it; to build it: --images build")


@images.command()
@mode_option
@click.argument("prefix")
@click.argument("names", nargs=-1)
def push(mode: Mode, prefix: str, names: tuple[str, ...]) -> None:
    """Push images to a registry under PREFIX: all, or those in NAMES.

    Other machines then pull from there with MLOPS_LAB_MIRROR=PREFIX, and a shared cluster with --registry PREFIX.

    \b
    Examples:
      lab images push registry.example.org/labs
      MLOPS_LAB_MIRROR=registry.example.org/labs lab up --images pull
      lab up --context my-cluster --registry registry.example.org/labs
      lab images push localhost:5001 mlops-lab/serving-bentoml:1
    """
    from mlops_lab.cluster.names import REGISTRY_PREFIX
    from mlops_lab.images.push import fetch
    from mlops_lab.images.push import push as put

    docker, steps = _bring(mode, _named(names))
    fetch(docker, steps, REGISTRY_PREFIX)
    for target in put(docker, steps, prefix):
        click.echo(f"pushed {target}")


@images.command()
@click.option(
    "--format",
    "form",
    type=click.Choice(["cyclonedx", "table"]),
    default="cyclonedx",
    show_default=True,
    help="A CycloneDX 1.6 document as JSON, or a line for each package.",
)
@click.argument("name", metavar="NAME")
def sbom(form: str, name: str) -> None:
    """Print what a build put into an image: a bill of materials (SBOM).

    Debian packages, Python distributions and Go modules, each with its version, package URL, licence where it states
    one, and the paths that it was read from. They are read from the image in the engine, not from its recipe.

    \b
    Examples:
      lab images sbom serving --format table
      lab images sbom mlops-lab/load:v1 >load.cdx.json
    """
    import os

    from mlops_lab.base.errors import LabError
    from mlops_lab.engine.docker import answering
    from mlops_lab.images.sbom import bom, content, image

    docker = answering()
    if docker is None:
        raise LabError("no container engine answers, and it holds the images", "start it and try again")
    step = image.built(name, docker, os.environ.get("MLOPS_LAB_MIRROR", ""))
    with image.exported(docker, step.ref) as archive:
        found = content.read(archive)
    if form == "table":
        click.echo(bom.table(found))
        return
    facts = {"image": step.ref, "image-id": (docker.inspect("image", step.ref) or {}).get("Id", ""), "key": step.key}
    click.echo(bom.document(step.image, found, facts))


@images.command()
@click.option("--old", is_flag=True, help="Delete only what newer builds have replaced.")
@click.option("--yes", is_flag=True, help="Delete without asking.")
def prune(old: bool, yes: bool) -> None:
    """Delete the image cache, after showing its size.

    The caches of Go and uv stay, and so do your files and your progress. With --old, images that came from a mirror
    stay while MLOPS_LAB_MIRROR names it.

    \b
    Examples:
      lab images prune
      lab images prune --old --yes
    """
    import os

    from mlops_lab.base.errors import LabError
    from mlops_lab.base.progress import Progress
    from mlops_lab.cli.terminal import agree, say
    from mlops_lab.cluster import record
    from mlops_lab.cluster.up import exclusive
    from mlops_lab.engine.docker import answering
    from mlops_lab.images import prune as pruning
    from mlops_lab.images.catalog import CATALOG, sources
    from mlops_lab.images.steps import closure
    from mlops_lab.images.store import Store

    with exclusive(Progress()), Store().cleared(say):  # no cluster is made of what is listed while the user is asked
        docker, mirror = answering(), os.environ.get("MLOPS_LAB_MIRROR", "")
        if docker is None and (old or record.made()):
            raise LabError(
                "no container engine answers, so it is not known which images are in use", "start it and try again"
            )
        held = [*(pruning.images(docker) if docker else []), *pruning.folders()]
        if old and docker:
            modes: tuple[Literal["pull", "build"], ...] = ("pull", "build")  # neither way replaces the other's images
            ways = [sources(mode, docker.arch, mirror) for mode in modes]
            steps = closure([way.image(name) for way in ways for name in CATALOG])
            held = pruning.replaced(docker, {step.ref for step in steps if step.image})
        elif any(each.used for each in held):
            raise LabError(
                "the cluster uses these images", "delete it first (lab down), or delete less: lab images prune --old"
            )
        for each in held:
            click.echo(f"{each.size / 1e6:8.0f} MB  {each.name}")
        click.echo(f"{sum(each.size for each in held) / 1e6:8.0f} MB in all")
        if held:
            agree("Remove all this?", yes)
            if left := pruning.remove(docker, held):
                raise LabError(
                    f"not all was removed: something of {', '.join(map(str, left))} is left",
                    "see who owns what is in there (after `sudo lab` it is root), then run the same command again",
                )
            click.echo("Removed")


def _named(names: tuple[str, ...]) -> list[str]:
    """The catalog's names of some images, before an engine is asked, or started, for one that there is not."""
    from mlops_lab.images.sbom.image import full_name

    return [full_name(name) for name in names]


def _bring(mode: Mode, names: list[str]) -> tuple[Docker, dict[str, Step]]:
    import os

    from mlops_lab.base.progress import Progress
    from mlops_lab.engine import start
    from mlops_lab.images.build import bring
    from mlops_lab.images.catalog import all_here
    from mlops_lab.images.recipes import flight_delay

    progress = Progress()
    docker = start.ensure(progress.say)
    wanted, mirror = names or all_here(), os.environ.get("MLOPS_LAB_MIRROR", "")
    also = (flight_delay.train,) if any(image.name in wanted for image in flight_delay.IMAGES) else ()
    return docker, bring(wanted, mode, docker, progress, mirror, also)
