"""lab dashboard."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlops_lab.base.errors import UsageError

if TYPE_CHECKING:
    from mlops_lab.platform.dashboard.boards import Board


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=3080,
    show_default=True,
    help="Port on 127.0.0.1; 0 takes any free one.",
)
@click.option("--prometheus", metavar="URL", help="Take data from this Prometheus instead of the cluster's.")
@click.option(
    "--folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Show the dashboards in this folder (*.json) instead of the platform's.",
)
@click.option("--to-grafana", is_flag=True, help="Put the dashboards of --folder into the platform's Grafana instead.")
@click.option("--open", "browse", is_flag=True, help="Open it in the browser.")
def dashboard(port: int, prometheus: str | None, folder: Path | None, to_grafana: bool, browse: bool) -> None:
    """Show the dashboards on a web page at 127.0.0.1 until Ctrl-C.

    Draws the dashboards as Grafana would, with data from the cluster's Prometheus. The first run installs the charting
    library (10 MB).

    \b
    Examples:
      lab dashboard --open
      lab dashboard --folder ~/mlops-lab/16-business-dashboard
      lab dashboard --folder ~/mlops-lab/16-business-dashboard --to-grafana
      lab dashboard --prometheus http://127.0.0.1:9090
    """
    from mlops_lab.base.progress import Progress
    from mlops_lab.platform.dashboard import boards, library, server
    from mlops_lab.platform.dashboard.prometheus import Prometheus

    known = boards.boards(folder)
    if not known:
        raise UsageError(f"{folder} holds no dashboard", "a dashboard is a file *.json, as Grafana exports it")
    if to_grafana:
        _to_grafana(folder, known)
        return
    charts = library.library(Progress())
    with contextlib.ExitStack() as stack:
        if prometheus:
            source = Prometheus(lambda: prometheus)
        else:
            from mlops_lab.cluster import record
            from mlops_lab.cluster.kubectl import Kubectl
            from mlops_lab.cluster.port_forward import PortForward
            from mlops_lab.platform.releases import RELEASES

            (release,) = [each for each in RELEASES if each.part == "monitoring"]
            cluster = record.current()
            kubectl = Kubectl(cluster.context, cluster.kubeconfig)
            hint = "install it (lab up --with monitoring), or see what is wrong with it: lab status"
            forward = stack.enter_context(PortForward(kubectl, release.namespace, "prometheus", 9090, hint=hint))
            source = Prometheus(forward.address, forward.lost)
        source.query("vector(1)")  # before anybody looks at an empty page
        made = stack.enter_context(server.make(known, source, charts, port))
        address = f"http://127.0.0.1:{made.server_address[1]}/"
        click.echo(f"Dashboards: {address} (end with Ctrl-C)")
        if browse:
            click.launch(address)
        with contextlib.suppress(KeyboardInterrupt):
            made.serve_forever()


def _to_grafana(folder: Path | None, known: dict[str, Board]) -> None:
    from mlops_lab.cluster import record
    from mlops_lab.cluster.kubectl import Kubectl
    from mlops_lab.platform.dashboard import boards, publish
    from mlops_lab.platform.releases import RELEASES

    if not folder:
        raise UsageError(
            "--to-grafana puts dashboards of yours there, and --folder does not say where they are",
            "lab dashboard --folder . --to-grafana",
        )
    (release,) = [each for each in RELEASES if each.part == "monitoring"]
    cluster = record.current()
    kubectl = Kubectl(cluster.context, cluster.kubeconfig)
    publish.publish(kubectl, release.namespace, known, boards.boards())
    names = ", ".join(board.title for board in known.values())
    click.echo(f"In Grafana's folder Yours within two minutes, where it runs: {names}")
    click.echo("next: lab open grafana")
