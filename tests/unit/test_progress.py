"""The view of a command's pieces of work stays fresh without anybody's help, and ends with the last of them."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable

import pytest

from mlops_lab.base.progress import Progress


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def until(said: Callable[[], bool]) -> None:
    """Wait for it, 20 s at most."""
    end = time.monotonic() + 20
    while not said():
        assert time.monotonic() < end, "it never said so"
        time.sleep(0.01)


def views() -> int:
    """The threads that paint."""
    return sum(each.name.endswith("(_tick)") for each in threading.enumerate())


def test_a_piece_on_a_terminal_is_painted_while_it_runs() -> None:
    out = Terminal()
    with Progress(out).piece("kind create cluster"):
        until(lambda: out.getvalue().count("  .. kind create cluster") >= 2)
    assert out.getvalue().endswith("s)\n") and "  ok kind create cluster (" in out.getvalue()
    assert views() == 0


def test_a_piece_in_a_log_says_now_and_then_that_it_runs() -> None:
    out = io.StringIO()
    with Progress(out, every=0.02).piece("installing tracking"):
        until(lambda: len(out.getvalue().splitlines()) >= 3)
    first, *between, last = out.getvalue().splitlines()
    assert first == "  .. installing tracking" and last.startswith("  ok installing tracking (")
    assert between and all(line.startswith("  .. installing tracking 0.") for line in between), between


def test_the_view_ends_with_the_last_piece_whichever_began_first() -> None:
    out, first, second = io.StringIO(), threading.Event(), threading.Event()
    progress = Progress(out, every=0.02)

    def work(name: str, end: threading.Event) -> None:
        with progress.piece(name):
            end.wait(20)

    threads = [threading.Thread(target=work, args=pair) for pair in (("a", first), ("b", second))]
    for each in threads:
        each.start()
    until(lambda: any("a 0." in line and "b 0." in line for line in out.getvalue().splitlines()))
    first.set()
    threads[0].join()
    said = len(out.getvalue())
    until(lambda: "  .. b " in out.getvalue()[said:])
    assert ", a" not in out.getvalue()[said:].splitlines()[-1]
    second.set()
    threads[1].join()
    assert views() == 0
    with progress.piece("c"):
        until(lambda: "  .. c 0." in out.getvalue())


def test_what_is_left_is_added_while_somebody_estimates() -> None:
    out = io.StringIO()
    progress = Progress(out, every=0.02)
    with progress.showing(lambda: 75.0), progress.piece("node image"):
        until(lambda: "node image" in out.getvalue() and "about 75 s left" in out.getvalue())
    said = len(out.getvalue())
    with progress.piece("kind create cluster"):
        until(lambda: "  .. kind create cluster 0." in out.getvalue()[said:])
    assert "left" not in out.getvalue()[said:]


def test_a_failed_piece_ends_the_view_too() -> None:
    out = Terminal()
    with pytest.raises(ZeroDivisionError), Progress(out).piece("it"):
        raise ZeroDivisionError
    assert views() == 0 and "ok" not in out.getvalue()
