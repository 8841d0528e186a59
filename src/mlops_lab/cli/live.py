"""Live views of running checks: a table on a terminal, plain lines everywhere else."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from mlops_lab.cli.terminal import COLOURS

if TYPE_CHECKING:
    from rich.table import Table

    from mlops_lab.checks.verdicts import Result
    from mlops_lab.labs.rows import Row, View

# Where the stream is no terminal, a waiting check prints its state at most this often.
_EVERY = 1.0


@contextlib.contextmanager
def live(stream: TextIO, *, keep: bool, results: bool) -> Iterator[View]:
    """The view that suits the stream.

    Args:
        keep: leave the last state of the table on the terminal.
        results: where the stream is no terminal, print results too, not just what checks wait for.
    """
    if not stream.isatty():
        yield Lines(stream, results)
        return
    from rich.console import Console
    from rich.live import Live

    screen = Screen()
    with Live(
        get_renderable=screen.table,
        console=Console(file=stream),
        refresh_per_second=8,
        transient=not keep,
        redirect_stdout=False,
        redirect_stderr=False,
    ):
        yield screen


class Screen:
    """A table that is drawn anew several times a second from the newest rows."""

    def __init__(self) -> None:
        self._rows: Sequence[Row] = ()
        self._note = ""

    def changed(self, rows: Sequence[Row], note: str) -> None:
        self._rows, self._note = rows, note

    def table(self) -> Table:
        from rich.table import Table
        from rich.text import Text

        from mlops_lab.checks.report import visible

        table = Table(box=None, pad_edge=False, show_header=False, caption=self._note, caption_justify="left")
        table.add_column(width=8)
        table.add_column(justify="right")
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for row in self._rows:
            word = _word(row)
            points = f"{row.result.earned if row.result else 0}/{row.check.points}"
            text = _text(row)
            table.add_row(Text(word, style=COLOURS.get(word.lower(), "")), points, row.check.name, Text(visible(text)))
        return table


class Lines:
    """One line for each piece of news."""

    def __init__(self, stream: TextIO, results: bool) -> None:
        self._stream = stream
        self._results = results
        self._shown: dict[str, Any] = {}
        self._states: dict[str, tuple[str, float]] = {}
        self._note = ""
        self._lock = threading.Lock()

    def changed(self, rows: Sequence[Row], note: str) -> None:
        with self._lock:
            for row in rows:
                self._row(row)
            if note != self._note and self._results and note in ("checking", "waiting for a change"):
                self._print(f"-- {note}")
            self._note = note

    def _row(self, row: Row) -> None:
        name = row.check.name
        if row.running:
            state, at = self._states.get(name, ("", 0.0))
            now = time.monotonic()
            if row.state and row.state != state and now - at >= _EVERY:
                self._states[name] = (row.state, now)
                self._print(f".. {name}: {row.state} ({row.left:.0f} s left)")
        elif row.result and self._results and self._shown.get(name) is not row.result:
            from mlops_lab.checks.report import line

            before = self._shown.get(name)
            self._shown[name] = row.result
            waited = self._states.pop(name, None)
            if before is None or waited or _news(row.result) != _news(before):
                self._print(line(row.result))
                if row.result.verdict.value in ("fail", "error"):
                    self._print(f"   seen: {row.result.seen or row.result.why}")

    def _print(self, text: str) -> None:
        from mlops_lab.checks.report import visible

        print(f"{time.strftime('%H:%M:%S')} {visible(text)}", file=self._stream, flush=True)


def _news(result: Result) -> tuple[str, str]:
    """A result is printed again only if this has changed."""
    return result.verdict, "" if result.verdict == "pass" else result.seen


def _word(row: Row) -> str:
    if row.running:
        return "WAITING" if row.state else "RUNNING"
    return row.result.verdict.value.upper() if row.result else "-"


def _text(row: Row) -> str:
    if row.running:
        return f"{row.state} ({row.left:.0f} s left)" if row.state else row.check.title
    if row.result is None or row.result.verdict == "pass":
        return row.check.title
    result = row.result
    seen = f"expected {result.expected}; seen {result.seen}. " if result.seen else ""
    return f"{seen}{result.why}"
