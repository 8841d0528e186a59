"""lab desk."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

import click

from mlops_lab.cli.terminal import say


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=3081,
    show_default=True,
    help="Port on 127.0.0.1; 0 takes any free one.",
)
@click.option("--open", "browse", is_flag=True, help="Open it in the browser.")
def desk(port: int, browse: bool) -> None:
    """Work on labs and exams on a web page at 127.0.0.1 until Ctrl-C.

    A page has a lab's text beside a terminal in your files, with kubectl, k and completion ready, and the verdicts of
    its checks as they change. In an exam it has the tasks, the clock, and at the end the score sheet. The address has a
    token: only who has it gets in.

    \b
    Examples:
      lab desk --open
      lab desk --port 0
    """
    from mlops_lab.desk.desk import Desk
    from mlops_lab.desk.labs import Here
    from mlops_lab.desk.server import serving
    from mlops_lab.exam.sitting import Exams
    from mlops_lab.exam.view import Current
    from mlops_lab.learner import path
    from mlops_lab.learner.records import Records

    async def serve() -> None:
        async with serving(Desk(path.course(), Records(), Here(), Current(Exams())), port, say) as address:
            click.echo(f"Your desk: {address} (end with Ctrl-C)")
            with _way_in(address) if browse else contextlib.nullcontext() as file:
                if file and click.launch(str(file)) != 0:
                    say("no program here opens a page; open that address yourself")
                await asyncio.Event().wait()

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve())


@contextlib.contextmanager
def _way_in(address: str) -> Iterator[Path]:
    """A file that leads to the page: only this user can read it, but everybody a browser's command line.

    It lies among the learner's files: a browser from snap, as Ubuntu's are, reads no hidden folder and not /tmp.
    """
    from html import escape

    from mlops_lab.base.paths import workspace

    file = workspace() / "desk.html"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(mode=0o600)
    file.chmod(0o600)
    file.write_text(
        f'<!doctype html><meta http-equiv="refresh" content="0;url={escape(address)}"><title>lab desk</title>'
    )
    try:
        yield file
    finally:
        file.unlink(missing_ok=True)
