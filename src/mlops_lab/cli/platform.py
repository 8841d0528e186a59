"""lab open: the platform's pages, forwarded to 127.0.0.1."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

import click

from mlops_lab.cli.terminal import say

if TYPE_CHECKING:
    from mlops_lab.platform import pages
    from mlops_lab.platform.releases import Page


@click.command("open")
@click.argument("name", required=False)
@click.option(
    "--port", type=click.IntRange(1, 65535), help="Port on 127.0.0.1. Default: the page's own, if it is free."
)
@click.option("--no-browser", is_flag=True, help="Only print the address.")
def open_page(name: str | None, port: int | None, no_browser: bool) -> None:
    """Open a web page of the platform; without NAME, list them.

    Forwards the page to 127.0.0.1 until you press Ctrl-C, and reconnects if its pod is replaced. If there is a password
    to sign in with, it is printed.

    \b
    Examples:
      lab open
      lab open mlflow
      lab open grafana
      lab open mlflow --no-browser --port 5050
    """
    from mlops_lab.cluster import record
    from mlops_lab.cluster.kubectl import Kubectl
    from mlops_lab.platform import pages
    from mlops_lab.platform.installed import releases_in

    cluster = record.current()
    kubectl = Kubectl(cluster.context, cluster.kubeconfig)
    there = releases_in(kubectl)
    if name is None:
        _list(pages.places(kubectl, there), pages.absent(there))
        return
    wanted = pages.place(kubectl, name, there)
    account = pages.login(kubectl, wanted.release, wanted.page)
    with contextlib.suppress(KeyboardInterrupt):
        pages.keep_open(
            *(kubectl, name, there, port or pages.free_port(wanted.page.local or wanted.page.port)),
            say=say,
            opened=lambda url: opened(url, name, no_browser, account),
        )


def _list(places: list[pages.Place], absent: list[tuple[Page, str]]) -> None:
    width = max(len(name) for name in (*(place.page.name for place in places), *(page.name for page, _ in absent)))
    for place in places:
        state = "ready    " if place.pod else "NOT READY"
        click.echo(f"{place.page.name.ljust(width)}  {state}  {place.page.what}")
    for page, instead in absent:
        click.echo(f"{page.name.ljust(width)}  not here   instead: {instead}")
    if places:
        click.echo(f"next: lab open {places[0].page.name}")
    else:
        click.echo("No part of the platform is installed; next: lab up --with tracking")


def opened(url: str, name: str, no_browser: bool, account: tuple[str, str] | None = None) -> None:
    """Say where a page is, and open it in a browser."""
    click.echo(f"{name} is at {url} (Ctrl-C ends)")
    if account:
        click.echo(f"to sign in: user {account[0]}, password {account[1]}")
    sys.stdout.flush()
    graphical = sys.platform in ("darwin", "win32") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if graphical and not no_browser:
        import webbrowser

        webbrowser.open(url)
