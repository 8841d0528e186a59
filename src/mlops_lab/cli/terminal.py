"""How commands speak: results on standard output, all else on standard error; colours, width, and files for results."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from mlops_lab.base.errors import ExitCode, LabError, UsageError

if TYPE_CHECKING:
    from rich.console import Console

# The colour of each verdict, by a name that click and rich share.
COLOURS = {"pass": "green", "fail": "red", "blocked": "yellow", "waiting": "cyan", "error": "magenta"}


def say(text: str) -> None:
    """A line beside the result, such as what goes on now."""
    click.echo(text, err=True)


def complain(message: str, hint: str, detail: str = "") -> None:
    """An error: what is wrong, the evidence for it, and what to do next."""
    say(f"lab: {message}")
    for line in detail.splitlines():
        say(f"  | {line}")
    say(f"  next: {hint}")


def width() -> int:
    """The columns that a report may take."""
    return min(shutil.get_terminal_size((100, 24)).columns, 120)


def colours(stream: TextIO) -> bool:
    """Whether the stream shows colours and the user wants them (NO_COLOR)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def painter(stream: TextIO) -> Callable[[str, str], str]:
    """Gives a text the colour of a verdict, where the stream shows colours."""
    return painted if colours(stream) else lambda text, verdict: text


def painted(text: str, verdict: str) -> str:
    """The text in the verdict's colour."""
    return click.style(text, fg=COLOURS[verdict])


def console() -> Console:
    """For tables on standard output."""
    from rich.console import Console

    return Console(width=width(), highlight=False, markup=False)


def write(file: Path, text: str, option: str) -> None:
    """Write a result to a file that the user names, with the folders above it.

    Args:
        option: what the file was named with, such as `--json`.

    Raises:
        LabError: the file cannot be written.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as trouble:
        raise LabError(f"{file} cannot be written: {trouble.strerror}", f"name another file with {option}") from trouble


def agree(question: str, yes: bool) -> None:
    """Go on only if the user wants to; if not, the command ends with exit code 2.

    Args:
        yes: the user has said so already.

    Raises:
        UsageError: nobody can be asked.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("nobody is here to agree to this, so nothing was done", "if you mean it: --yes")
    if not click.confirm(question):
        say("Nothing was done")
        raise click.exceptions.Exit(ExitCode.USAGE)


def into(folder: Path, how: str) -> None:
    """Go into a folder.

    Args:
        how: what to do where it is gone, or can't be entered.

    Raises:
        UsageError: it is so.
    """
    try:
        os.chdir(folder)
    except OSError as gone:
        raise UsageError(f"the folder {folder} can't be entered: {gone.strerror or gone}", how) from gone
