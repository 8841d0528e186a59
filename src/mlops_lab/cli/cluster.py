"""lab up, down, status, doctor."""

from __future__ import annotations

import sys
import time
from typing import Any

import click

from mlops_lab.base.errors import ExitCode
from mlops_lab.cli.images import Mode, mode_option


@click.command()
@click.option("--nodes", type=click.Choice(["small", "default"]), help="One node, or a control plane and two workers.")
@mode_option
@click.option("--context", metavar="NAME", help="Use this context's cluster instead of making one.")
@click.option("--registry", metavar="PREFIX", default="", help="With --context: where its nodes pull the images from.")
@click.option("--with", "parts", metavar="PART,...", multiple=True, help="Install these parts of the platform.")
@click.option(
    "--profile", type=click.Choice(["core", "full"]), help="The parts at their smallest, or all at full size."
)
@click.option(
    "--engine",
    type=click.Choice(["embedded", "kubeflow"]),
    help="What runs pipelines: our small server, or Kubeflow's published images. Installs them.",
)
@click.option("--no-wait", is_flag=True, help="End if another `lab` command is at work on the cluster.")
def up(
    nodes: str | None,
    mode: Mode,
    context: str | None,
    registry: str,
    parts: tuple[str, ...],
    profile: str | None,
    engine: str | None,
    no_wait: bool,
) -> None:
    """Bring the cluster up, or repair it, with parts of the platform.

    On a cluster that is up and well it changes nothing; parts that are installed stay and are repaired. The first
    time, images are pulled, or built from packages where no image registry answers (a quarter of an hour on two cores).

    \b
    Examples:
      lab up
      lab up --nodes small
      lab up --with tracking
      lab up --profile full
      lab up --engine kubeflow
      lab up --images build
      lab up --context my-cluster --registry registry.example.org/labs
    """
    from mlops_lab.base.errors import UsageError
    from mlops_lab.base.progress import Progress, spell
    from mlops_lab.cluster import existing, record
    from mlops_lab.cluster.up import up as bring_up
    from mlops_lab.platform.install import before, with_parts
    from mlops_lab.platform.releases import part_of

    begin, progress = time.monotonic(), Progress()
    wanted = _parts((*parts, *((part_of(engine),) if engine else ())), profile)
    named = record.named()
    if context and nodes:
        raise UsageError("--nodes makes a cluster, --context uses one", "give one of the two")
    if named and nodes:
        raise UsageError(
            f"--nodes makes a cluster, and in use is {named.context}, which you named",
            "leave it first (lab down; it stays as it was), then: lab up --nodes " + nodes,
        )
    if registry and not (context or named):
        raise UsageError("--registry goes with --context", "see: lab up --help")
    if context or named:
        name = context or (named.context if named else "")
        prefix = registry or (named.registry if named and named.context == name else "")
        cluster = existing.use(name, prefix, progress, wait=not no_wait)
    else:
        if engine:
            before(engine, record.made(), progress)
        cluster = bring_up(nodes, mode, progress, wait=not no_wait, **_during_creation(wanted, engine or ""))
    releases = with_parts(
        wanted,
        {"core": "small", "full": "full"}.get(profile or ""),  # type: ignore[arg-type]
        cluster,
        progress,
        mode=mode,
        engine=engine,
        wait_for_others=not no_wait,
    )
    click.echo(f"The cluster is up ({spell(time.monotonic() - begin)}); its context: {cluster.context}")
    for release in releases:
        for page in release.pages:
            click.echo(f"  {page.name}: {page.what} (lab open {page.name})")
    click.echo("next: lab list, then for instance: lab start 10")


@click.command()
@click.option("--keep-data", is_flag=True, help="Keep the platform's volumes and passwords for the next `lab up`.")
def down(keep_data: bool) -> None:
    """Take the cluster down.

    Removes its containers, volumes and kubeconfig entry, and the registry. Built images stay in the cache (`lab images
    prune` clears it); your files and your progress stay too. With --keep-data the next `lab up` installs the same parts
    of the platform again with the data they had. A cluster used with --context is left as it was.

    \b
    Examples:
      lab down
      lab down --keep-data
    """
    from mlops_lab.base.progress import Progress
    from mlops_lab.cluster import record
    from mlops_lab.cluster.down import down as take_down
    from mlops_lab.platform import keep
    from mlops_lab.platform.remove import leave

    progress, kept = Progress(), ""
    if cluster := record.named() or record.made():
        saved = leave(cluster, progress, keep_data)
        kept = f"Kept for the next `lab up`: {', '.join(saved)}" if saved else ""
    removed = take_down(progress, keep=keep.KEPT if keep_data else "")
    click.echo(f"Removed: {', '.join(removed)}" if removed else "Nothing to remove: no cluster is up")
    if kept:
        click.echo(kept)


@click.command()
def status() -> None:
    """Show the cluster and what runs on it.

    Exits with 3 if something is not well.

    \b
    Examples:
      lab status
    """
    from mlops_lab.cluster.status import status as parts_of_cluster
    from mlops_lab.platform.installed import status as parts_of_platform

    parts = parts_of_cluster()
    if not any(part.what in ("API server", "engine") and not part.well for part in parts):
        parts += parts_of_platform()
    width = max(len(part.what) for part in parts)
    for part in parts:
        click.echo(f"{'ok  ' if part.well else 'FAIL'} {part.what.ljust(width)}  {part.seen}")
    if not all(part.well for part in parts):
        click.echo("next: lab up repairs it")
        sys.exit(ExitCode.ENVIRONMENT)


@click.command()
@click.option("--nodes", type=click.Choice(["small", "default"]), default="default", help="The size you want to run.")
def doctor(nodes: str) -> None:
    """Look for what is wrong on this machine.

    Each line is ok, warn or FAIL, with what to do. Exits with 3 if a line fails.

    \b
    Examples:
      lab doctor
      lab doctor --nodes small
    """
    from mlops_lab.cluster.health import look

    lines = look(nodes)
    width = max(len(line.what) for line in lines)
    for line in lines:
        verdict = {"ok": "ok  ", "warn": "warn", "fail": "FAIL"}[line.verdict]
        click.echo(f"{verdict} {line.what.ljust(width)}  {line.seen}")
        if line.todo:
            click.echo(f"     {' ' * width}  -> {line.todo}")
    if any(line.verdict == "fail" for line in lines):
        sys.exit(ExitCode.ENVIRONMENT)


def _parts(words: tuple[str, ...], profile: str | None) -> list[str]:
    """The parts that are asked for, each known to exist."""
    from mlops_lab.platform.releases import RELEASES, releases

    parts = [part.strip() for word in words for part in word.split(",") if part.strip()]
    if profile == "full":
        parts += [each.part for each in RELEASES]
    return [each.part for each in releases(parts)]


def _during_creation(parts: list[str], engine: str = "") -> dict[str, Any]:
    """What of the parts comes while a kind cluster is made: their images, and helm."""
    from mlops_lab.images.recipes import helm
    from mlops_lab.images.store import Store
    from mlops_lab.platform.releases import releases

    wanted = list(dict.fromkeys(image for each in releases(parts) for image in each.by(engine).images))
    return {
        "early": wanted,
        "also": (helm.program,) if wanted and helm.path(Store()) is None else (),
    }
