"""lab up, down, status, doctor."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlops_lab.base.errors import ExitCode
from mlops_lab.cli.images import Mode, mode_option

if TYPE_CHECKING:
    from mlops_lab.base.progress import Progress
    from mlops_lab.cluster.record import Cluster


@click.command()
@click.option("--nodes", type=click.Choice(["small", "default"]), help="One node, or a control plane and two workers.")
@mode_option
@click.option("--bundle", metavar="FILE", help="Have all images from this file, made by `lab bundle`; nobody is asked.")
@click.option("--context", metavar="NAME", help="Use the cluster of this kubeconfig context instead of creating one.")
@click.option("--registry", metavar="PREFIX", default="", help="With --context: the registry its nodes pull from.")
@click.option(
    "--with",
    "parts",
    metavar="PART,...",
    multiple=True,
    help="Install these parts of the platform: tracking, monitoring, pipelines, logging.",
)
@click.option(
    "--profile",
    type=click.Choice(["core", "full"]),
    help="core: the parts named at their smallest; full: all parts at full size.",
)
@click.option(
    "--engine",
    "engines",
    multiple=True,
    type=click.Choice(["embedded", "kubeflow", "dashboard", "grafana"]),
    help="What runs pipelines (embedded or kubeflow) or shows dashboards (dashboard or grafana); installs that part.",
)
@click.option(
    "--addon",
    "addons",
    multiple=True,
    type=click.Choice(["traefik"]),
    help="Install an add-on, which stays until `lab down`: Traefik serves Ingress and the Gateway API.",
)
@click.option("--no-wait", is_flag=True, help="Stop at once if another `lab` command is changing the cluster.")
def up(
    nodes: str | None,
    mode: Mode,
    bundle: str | None,
    context: str | None,
    registry: str,
    parts: tuple[str, ...],
    profile: str | None,
    engines: tuple[str, ...],
    addons: tuple[str, ...],
    no_wait: bool,
) -> None:
    """Create or repair the cluster and install parts of the platform.

    A healthy cluster is not changed; installed parts stay and are repaired if needed. The first run pulls images, or
    builds them from packages if no image registry answers (about 15 minutes on two cores).

    New parts get Kubeflow's own backend (with --profile full) and Grafana where their images can be pulled and the
    machine has room; else, or if they do not become ready, the project's counterparts. A line says which and why.

    \b
    Examples:
      lab up
      lab up --nodes small
      lab up --with tracking
      lab up --profile full
      lab up --engine kubeflow
      lab up --addon traefik
      lab up --images build
      lab up --bundle class.bundle
      lab up --context my-cluster --registry registry.example.org/labs
    """
    from mlops_lab.base.errors import UsageError
    from mlops_lab.base.progress import Progress, spell
    from mlops_lab.cli.bundle import load
    from mlops_lab.cluster import existing, record, traefik
    from mlops_lab.cluster.up import up as bring_up
    from mlops_lab.platform import kept
    from mlops_lab.platform.install import check_engines, with_parts
    from mlops_lab.platform.pages import absent
    from mlops_lab.platform.releases import part_of

    begin, progress = time.monotonic(), Progress()
    wanted = _parts((*parts, *map(part_of, engines)), profile)
    named = None if context and registry else record.named()
    if context and nodes:
        raise UsageError("--nodes creates a cluster, --context uses an existing one", "use only one of them")
    if named and nodes:
        raise UsageError(
            f"--nodes creates a cluster, but {named.context} is in use, as you told `lab up --context`",
            "stop using it (lab down deletes what `lab` made in it), then: lab up --nodes " + nodes,
        )
    if bundle and (context or named or mode != "auto"):
        raise UsageError(
            "--bundle is for a cluster that `lab up` makes, with images of that file", "see: lab up --help"
        )
    if registry and not (context or named):
        raise UsageError("--registry works only with --context", "see: lab up --help")
    if addons and (context or named):
        raise UsageError(
            "--addon is for a cluster that `lab up` makes",
            "install Traefik 3 in yours, with IngressClass and GatewayClass traefik",
        )
    if context or named:
        name = context or (named.context if named else "")
        prefix = registry or (named.registry if named and named.context == name else "")
        cluster = existing.use(name, prefix, progress, wait=not no_wait)
    else:
        kept.read()  # what can't be read is said before minutes go by
        if bundle:
            load(Path(bundle), progress, wait=not no_wait)
        if engines:
            check_engines(engines, record.made(), progress)
        cluster = bring_up(nodes, mode, progress, wait=not no_wait, **_during_creation(wanted, engines))
    releases = with_parts(
        wanted,
        {"core": "small", "full": "full"}.get(profile or ""),  # type: ignore[arg-type]
        cluster,
        progress,
        mode=mode,
        engines=engines,
        wait_for_others=not no_wait,
    )
    if addons:
        traefik.up(progress, stays=True)
    click.echo(f"The cluster is up ({spell(time.monotonic() - begin)}); its context: {cluster.context}")
    for release in releases:
        for page in release.pages:
            click.echo(f"  {page.name}: {page.what} (lab open {page.name})")
    if addons:
        click.echo(f"  traefik: IngressClass and GatewayClass {traefik.CLASS}, for pods at http://{traefik.HOST}")
    for page, instead in absent(releases) if releases else ():
        click.echo(f"  {page.name}: not here (instead: {instead})")
    click.echo("next: lab list, then for instance: lab start 10")


@click.command()
@click.option("--keep-data", is_flag=True, help="Keep the platform's data and passwords for the next `lab up`.")
@click.option(
    "--context", metavar="NAME", default="", help="Leave the cluster of this context, used with `lab up` once."
)
@click.option(
    "--yes",
    is_flag=True,
    help="Also while an exam is under way, with a class's gradebook, or a cluster that another home made;"
    " in a cluster used with --context, don't ask.",
)
@click.option("--forget", is_flag=True, help="Forget a cluster used with --context that is gone for good.")
def down(keep_data: bool, context: str, yes: bool, forget: bool) -> None:
    """Delete the cluster.

    Deletes its containers, volumes, kubeconfig entry and registry. Built images stay in the cache (`lab images prune`
    deletes it), and so do your files and your progress. With --keep-data, the next `lab up` installs the same parts of
    the platform with their data.

    Refuses while an exam is under way, or a class's gradebook is in the cluster, even if that stands still; if
    another user made it, or you with another MLOPS_LAB_HOME; or if it is on another Docker engine. --yes deletes it
    all the same, and forgets what is on an engine that is gone.

    A cluster used with --context stays. `lab down` lists what this installation has made there, asks, and deletes it.

    \b
    Examples:
      lab down
      lab down --keep-data
      lab down --yes
    """
    from mlops_lab.base.errors import UsageError
    from mlops_lab.base.progress import Progress
    from mlops_lab.classroom.teacher import ending
    from mlops_lab.cluster import kubeconfig, mend, names, own
    from mlops_lab.cluster.up import exclusive
    from mlops_lab.platform import remove

    progress = Progress()
    if not yes:
        _leave_exams_alone()
    if not (context or forget):
        with exclusive(progress):
            if not mend.named(progress.say):
                _say_what_is_left(own.contexts())
                return
            mend.made(lambda: mend.installed(progress.say), progress.say)
    if not (yes or forget):  # one that is forgotten is gone for good
        ending.leave_alone(context)
    if users := remove.users(context):
        _leave(users, keep_data, yes, forget, progress)
        return
    if forget:
        raise UsageError(
            "no cluster is in use that you named with --context", "name it: lab down --context NAME --forget"
        )
    saved, removed = remove.delete(progress, keep_data, yes)
    click.echo(f"Removed: {', '.join(removed)}" if removed else "Nothing to remove: there is no cluster")
    if saved:
        click.echo(f"Kept for the next `lab up`: {', '.join(saved)}")
    for file in kubeconfig.unreadable():
        click.echo(f"{file} is no kubeconfig, so whatever it has of the cluster stays in it")
    for file in kubeconfig.left(names.context()):
        click.echo(f"{file} can't be changed, so it still has the context {names.context()}, which leads nowhere now")
    _say_what_is_left(own.contexts())


def _leave_exams_alone() -> None:
    """See that no exam is under way, whose work would be lost.

    Raises:
        UsageError: one is.
    """
    from mlops_lab.base.errors import LabError, UsageError
    from mlops_lab.exam.sitting import under_way
    from mlops_lab.exam.state import Store

    try:
        found = Store().open()
    except LabError:  # a state that can't be read has nothing to lose
        return
    if found:
        raise UsageError(
            f"{under_way(found)}; its work would be lost",
            "end it first: lab exam submit, or lab exam stop; or delete all the same: lab down --yes",
        )


def _say_what_is_left(contexts: Sequence[str]) -> None:
    for each in contexts:
        click.echo(f"Still in the cluster {each} is what `lab` has made there; to delete it: lab down --context {each}")


def _leave(cluster: Cluster, keep_data: bool, yes: bool, forget: bool, progress: Progress) -> None:
    """Leave a cluster that the user named.

    Raises:
        UsageError: nobody can be asked.
    """
    from mlops_lab.base.errors import UsageError
    from mlops_lab.platform import remove

    if forget:
        made = remove.forget(cluster, progress)
        click.echo(f"Forgot {cluster.context}" + (f"; left in it: {', '.join(map(str, made))}" if made else ""))
        return
    plan = remove.planned(cluster, keep_data)
    if plan.deleted or plan.parts:
        click.echo(f"To be deleted in {cluster.context}, as made by this installation:")
        for part in plan.parts:
            click.echo(f"  part {part} of the platform")
        for each in plan.deleted:
            click.echo(f"  {each}{', with all that is in it' if each.kind == 'Namespace' else ''}")
    for name in plan.kept:
        click.echo(f"  stays, with its data: Namespace {name}")
    for other in plan.others:
        click.echo(f"  stays, as this installation has not made it: {other}")
    if (plan.deleted or plan.parts) and not yes:
        if not sys.stdin.isatty():
            raise UsageError("nobody is here to agree to this, so nothing was deleted", "look at the list; then: --yes")
        if not click.confirm("Delete this?"):
            click.echo("Nothing was deleted")
            return
    remove.leave_as(plan, progress)
    gone = ", ".join(map(str, plan.deleted)) or "nothing"
    click.echo(f"Removed from {cluster.context}: {gone}; the cluster itself stays")


@click.command()
def status() -> None:
    """Show the cluster and what runs on it.

    Exit code: 0 healthy, 3 if something is not.

    \b
    Examples:
      lab status
    """
    from mlops_lab.cluster.status import status as parts_of_cluster
    from mlops_lab.platform.installed import status as parts_of_platform

    parts = parts_of_cluster()
    if not any(part.what in ("API server", "engine") and not part.healthy for part in parts):
        parts += parts_of_platform()
    width = max(len(part.what) for part in parts)
    for part in parts:
        click.echo(f"{'ok  ' if part.healthy else 'FAIL'} {part.what.ljust(width)}  {part.seen}")
    if not all(part.healthy for part in parts):
        click.echo("next: lab up repairs it")
        sys.exit(ExitCode.ENVIRONMENT)


@click.command()
@click.option(
    "--nodes", type=click.Choice(["small", "default"]), default="default", help="The size of cluster you want to run."
)
def doctor(nodes: str) -> None:
    """Check this machine for problems.

    Each line is ok, warn or FAIL and says what to do. Exit code: 0, or 3 if a line is FAIL.

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
    """The parts by their names.

    Raises:
        UsageError: there is no such part.
    """
    from mlops_lab.platform.releases import RELEASES, releases

    parts = [part.strip() for word in words for part in word.split(",") if part.strip()]
    if profile == "full":
        parts += [each.part for each in RELEASES]
    return [each.part for each in releases(parts)]


def _during_creation(parts: list[str], engines: Sequence[str] = ()) -> dict[str, Any]:
    """What the parts need that is brought while kind creates the cluster: their images, and helm."""
    from mlops_lab.images.recipes import helm
    from mlops_lab.images.store import Store
    from mlops_lab.platform.releases import releases

    chosen = [each.by(each.profile(None, each.asked(engines), "")) for each in releases(parts)]
    wanted = list(dict.fromkeys(image for each in chosen for image in each.images))
    return {
        "early": wanted,
        "also": (helm.program,) if wanted and helm.path(Store()) is None else (),
    }
