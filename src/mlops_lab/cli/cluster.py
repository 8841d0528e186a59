"""lab up, down, status, doctor."""

from __future__ import annotations

import sys
import time

import click

from mlops_lab.base.errors import ExitCode
from mlops_lab.cli.images import Mode, mode_option


@click.command()
@click.option("--nodes", type=click.Choice(["small", "default"]), help="One node, or a control plane and two workers.")
@mode_option
@click.option("--context", metavar="NAME", help="Use this context's cluster instead of making one.")
@click.option("--registry", metavar="PREFIX", default="", help="With --context: where its nodes pull the images from.")
@click.option("--no-wait", is_flag=True, help="End if another `lab` command is at work on the cluster.")
def up(nodes: str | None, mode: Mode, context: str | None, registry: str, no_wait: bool) -> None:
    """Bring the cluster up, or repair it.

    On a cluster that is up and well it changes nothing. The first time, images are pulled, or built from packages
    where no image registry answers (a quarter of an hour on two cores).

    \b
    Examples:
      lab up
      lab up --nodes small
      lab up --images build
      lab up --context my-cluster --registry registry.example.org/labs
    """
    from mlops_lab.base.errors import UsageError
    from mlops_lab.base.progress import Progress, spell
    from mlops_lab.cluster import existing, record
    from mlops_lab.cluster.up import up as bring_up

    begin, progress = time.monotonic(), Progress()
    named = record.named()
    if context and nodes:
        raise UsageError("--nodes makes a cluster, --context uses one", "give one of the two")
    if registry and not (context or named):
        raise UsageError("--registry goes with --context", "see: lab up --help")
    if context or named:
        name = context or (named.context if named else "")
        prefix = registry or (named.registry if named and named.context == name else "")
        cluster = existing.use(name, prefix, progress, wait=not no_wait)
    else:
        cluster = bring_up(nodes, mode, progress, wait=not no_wait)
    click.echo(f"The cluster is up ({spell(time.monotonic() - begin)}); its context: {cluster.context}")
    click.echo("Next: lab list, then for instance: lab start 10")


@click.command()
def down() -> None:
    """Take the cluster down.

    Removes its containers, volumes and kubeconfig entry, and the registry. Built images stay in the cache (`lab images
    prune` clears it); your files and your progress stay too. A cluster used with --context is left as it was.

    \b
    Examples:
      lab down
    """
    from mlops_lab.base.progress import Progress
    from mlops_lab.cluster.down import down as take_down

    removed = take_down(Progress())
    click.echo(f"Removed: {', '.join(removed)}" if removed else "Nothing to remove: no cluster is up")


@click.command()
def status() -> None:
    """Show the cluster and what runs on it.

    Exits with 3 if something is not well.

    \b
    Examples:
      lab status
    """
    from mlops_lab.cluster.status import status as parts_of_cluster

    parts = parts_of_cluster()
    width = max(len(part.what) for part in parts)
    for part in parts:
        click.echo(f"{'ok  ' if part.well else 'FAIL'} {part.what.ljust(width)}  {part.seen}")
    if not all(part.well for part in parts):
        click.echo("Next: lab up repairs it")
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
