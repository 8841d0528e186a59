"""What `scripts/bench` decides of the desk's pages without a browser."""

from __future__ import annotations

import importlib
import time
from types import SimpleNamespace
from typing import Any

import pytest

from mlops_lab.base.paths import project
from mlops_lab.checks.check import Check
from mlops_lab.checks.verdicts import Result, Verdict
from mlops_lab.labs.rows import Rows, Unseen


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(project() / "scripts"))
    return importlib.import_module("bench_desk")


class Page:
    """A page that draws what a check sees 0.2 s after it ended; each change is seen twice, as rounds may be."""

    def __init__(self, *, stands: bool = False) -> None:
        self.rows = Rows([Check("serves", "It serves.", print, 1, (), ())], Unseen())
        self.stands, self.drawn = stands, "0"

    def wait_for_selector(self, selector: str) -> None:
        assert selector.endswith(".FAILED:not(.old)")

    def evaluate(self, script: str, given: str) -> str:
        return self.drawn

    def ends(self, seen: str) -> None:
        self.rows.finished(Result("serves", "It serves.", Verdict.FAIL, 1, (), "3", seen, "too few"))

    def change(self, number: int) -> None:
        self.ends(self.drawn)  # a round that began before
        if not self.stands:
            self.ends(str(number % 2 + 1))

    def wait_for_function(self, script: str, arg: str, timeout: float) -> Any:
        assert arg != self.drawn
        self.drawn = arg
        return SimpleNamespace(json_value=lambda: time.time() * 1000 + 200)


def test_a_verdict_is_timed_from_its_checks_end_until_it_is_drawn(bench: Any) -> None:
    page = Page()
    finished = Rows.finished
    assert bench.verdicts(page, "serves", page.change, 5) == pytest.approx(0.2, abs=0.1)
    assert page.drawn == "1" and Rows.finished is finished


def test_a_check_that_sees_nothing_else_is_no_measurement(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "WITHIN", 0.05)
    page = Page(stands=True)
    with pytest.raises(SystemExit, match="change 1: the check saw nothing else"):
        bench.verdicts(page, "serves", page.change)


def test_a_page_that_does_not_show_it_is_no_measurement(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def late(*_: Any, **__: Any) -> None:
        raise bench.Error("Timeout 30000ms exceeded")

    page = Page()
    monkeypatch.setattr(page, "wait_for_function", late)
    with pytest.raises(SystemExit, match="change 1: the page did not show it: Timeout"):
        bench.verdicts(page, "serves", page.change)


@pytest.mark.parametrize("asked", [False, True])
def test_without_a_browser_it_is_left_out_unless_it_was_asked_for(
    bench: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], asked: bool
) -> None:
    monkeypatch.setattr(bench, "chromium", lambda: "")
    if asked:
        with pytest.raises(SystemExit, match="there is no Chromium"):
            bench.measure(None, None, asked)
    else:
        assert bench.measure(None, None, asked) == {}
        assert capsys.readouterr().out.startswith("desk: left out, since there is no Chromium")


def test_a_page_is_opened_with_the_desks_token(bench: Any) -> None:
    assert bench.page_of("http://127.0.0.1:3081/?token=x", "/labs/13") == "http://127.0.0.1:3081/labs/13?token=x"
    assert bench.page_of("http://127.0.0.1:3081/?token=x", "/") == "http://127.0.0.1:3081/?token=x"


def test_the_lab_that_is_used_says_at_once_what_it_is_about(bench: Any) -> None:
    """Its first check, which needs no other, fails by the number of pods that are wanted before it waits for any."""
    (folder,) = (project() / "labs").glob(f"{bench.LAB}-*")
    text = (folder / "checker" / "__init__.py").read_text()
    body = text.partition(f"async def {bench.CHECK}(lab: Lab)")[2]
    assert "needs=" not in text.partition(f"async def {bench.CHECK}")[0].rpartition("@check")[2]
    assert 0 < body.index("asked_for(lab, PODS") < body.index("rolled_out")
