"""What a browser shows of the desk, and when: the first paint of its pages, and a verdict after its check's end.

The desk is served in this process, on the cluster and with the user's records, in the browser of the tests.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from bench_figures import Figures
from playwright.sync_api import BrowserContext, Error, Page

from mlops_lab.checks.verdicts import Result
from mlops_lab.desk.desk import Desk
from mlops_lab.desk.labs import Here
from mlops_lab.labs.rows import Rows
from mlops_lab.learner import path
from mlops_lab.learner.records import Records
from tests.browser import chromium, first_paint
from tests.browser import started as browser
from tests.desk.made_up import running

# Its first check says at once how many pods a Deployment wants, if they are too few.
LAB, CHECK, TOO_FEW = "13", "serves", (1, 2)
PAINTS, VERDICTS = 15, 9
# One of which no pods come.
PAUSED = {
    "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "model"},
    "spec": {
        "replicas": 0, "paused": True, "selector": {"matchLabels": {"app": "model"}},
        "template": {
            "metadata": {"labels": {"app": "model"}},
            "spec": {"containers": [{"name": "server", "image": "localhost:5001/flight-delay:v1"}]},
        },
    },
}  # fmt: skip
WITHIN = 30.0  # s for a verdict, from the change that it is about
WIDE = {"width": 1280, "height": 860}
# Keeps when what a check saw was drawn, by what it saw; says what is drawn now.
WATCH = """check => {
  window.drawn = {};
  const seen = () => {
    const terms = [...document.querySelectorAll(`#verdicts li[data-check="${check}"] dt`)];
    return terms.find((each) => each.textContent === "seen")?.nextElementSibling.textContent ?? "";
  };
  let before = seen();
  new MutationObserver(() => {
    const now = seen();
    if (now !== before) requestAnimationFrame(() => { window.drawn[now] = Date.now(); });
    before = now;
  }).observe(document.getElementById("verdicts"), { subtree: true, childList: true, characterData: true });
  return before;
}"""
Started = Callable[[str], AbstractContextManager[tuple[dict[str, str], tuple[str, ...], Path]]]


def measure(started: Started, run: Callable[..., str], asked: bool) -> Figures:
    """Both figures; the lab that is used is gone afterwards.

    Args:
        started: begins a lab in a workspace of its own.
        run: runs a program to its end.
        asked: for by name: then it is an error if there is no browser.

    Raises:
        SystemExit: there is no browser, or a verdict is not drawn in time.
    """
    if not chromium():
        lacking = "there is no Chromium: apt-get install chromium"
        if asked:
            raise SystemExit(lacking)
        print(f"desk: left out, since {lacking}")
        return {}
    print(f"desk: lab {LAB} is started", flush=True)
    with (
        started(LAB) as (env, kubectl, _),
        patch.dict(os.environ, env),
        browser() as found,
        running(Desk(path.course(), Records(), Here())) as address,
    ):
        print("desk: first paints", flush=True)
        figures = paints(lambda: found.new_context(viewport=WIDE), address)  # type: ignore[arg-type]
        print("desk: verdicts", flush=True)
        with TemporaryDirectory() as folder:
            file = Path(folder, "deployment.json")
            file.write_text(json.dumps(PAUSED))
            run(*kubectl, "create", "-f", file)

        def change(number: int) -> None:
            run(*kubectl, "scale", "deployment", "model", f"--replicas={TOO_FEW[number % len(TOO_FEW)]}")

        context = found.new_context(viewport=WIDE)  # type: ignore[arg-type]
        page = context.new_page()
        page.goto(page_of(address, f"/labs/{LAB}"))
        took = verdicts(page, CHECK, change)
        context.close()
    return figures | {"from a check's end to its verdict on the desk's page": (took, "s", "at most 0.5")}


def paints(make: Callable[[], BrowserContext], address: str) -> Figures:
    """The first paint of the page with all labs, and of a lab's, by a browser that has kept nothing of them."""
    found: Figures = {}
    for name, place in (("with all labs", "/"), ("of a lab", f"/labs/{LAB}")):
        took = statistics.median(first_paint(make, page_of(address, place)) for _ in range(PAINTS))
        found[f"first paint of the desk's page {name}"] = (took / 1000, "s", "at most 0.3")
    return found


def page_of(address: str, place: str) -> str:
    """The address of a page of the desk, with its token."""
    return address.replace("/?", f"{place}?", 1)


def verdicts(page: Page, check: str, change: Callable[[int], None], times: int = VERDICTS) -> float:
    """The seconds from a check's end until the page shows what it saw, in the middle of several.

    Args:
        change: makes the check see something else; called with 0, 1 and so on.

    Raises:
        SystemExit: it sees nothing else, or the page does not show it.
    """
    took: list[float] = []
    try:
        with ends(check) as ended:
            _timed(page, check, change, times, ended, took)
    except Error as trouble:
        raise SystemExit(f"change {len(took) + 1}: the page did not show it: {trouble}") from trouble
    return statistics.median(took)


def _timed(
    page: Page, check: str, change: Callable[[int], None], times: int, ended: dict[str, float], took: list[float]
) -> None:
    page.wait_for_selector(f'#verdicts li[data-check="{check}"].FAILED:not(.old)')
    last = page.evaluate(WATCH, check)
    for number in range(times):
        ended.clear()
        change(number)
        end = time.monotonic() + WITHIN
        # Another round may see once more what was seen before.
        while not (fresh := [seen for seen in list(ended) if seen != last]):
            if time.monotonic() > end:
                raise SystemExit(f"change {number + 1}: the check saw nothing else within {WITHIN:g} s")
            time.sleep(0.005)
        last, at = fresh[0], ended[fresh[0]]
        drawn = page.wait_for_function("seen => window.drawn[seen]", arg=last, timeout=WITHIN * 1000).json_value()
        took.append(drawn / 1000 - at)
        page.evaluate("seen => { delete window.drawn[seen]; }", last)


@contextmanager
def ends(check: str) -> Iterator[dict[str, float]]:
    """When a check had its verdict first, in seconds since 1970, by what it saw."""
    ended: dict[str, float] = {}
    finished = Rows.finished

    def noted(rows: Rows, result: Result) -> None:
        if result.check == check:
            ended.setdefault(result.seen, time.time())
        finished(rows, result)

    with patch.object(Rows, "finished", noted):
        yield ended
