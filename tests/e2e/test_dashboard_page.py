"""The page of `lab dashboard` in a real browser: every panel is drawn, in light and in dark, and looks like something.

It needs no cluster but a browser, which its set-up installs; hence the marker.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_lab.base.progress import Progress
from mlops_lab.platform.dashboard import server
from mlops_lab.platform.dashboard.boards import boards
from mlops_lab.platform.dashboard.library import library
from mlops_lab.platform.dashboard.prometheus import Prometheus
from tests.unit.fake_prometheus import FakePrometheus, fake_prometheus

pytestmark = [pytest.mark.cluster, pytest.mark.long, pytest.mark.timeout(600)]

BOARDS = boards()
PLOTTED = ("timeseries", "gauge", "bargauge", "piechart", "heatmap")
WIDTH, HEIGHT = 1100, 900


@pytest.fixture(scope="session")
def browser() -> str:
    for name in ("chromium", "google-chrome", "chromium-browser"):
        if found := shutil.which(name):
            return found
    subprocess.run(["apt-get", "update", "-q"], capture_output=True, timeout=300, check=True)
    install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", "chromium", "fonts-dejavu-core"]
    done = subprocess.run(install, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return "chromium"


@pytest.fixture
def fake() -> Iterator[FakePrometheus]:
    with fake_prometheus() as found:
        yield found


@pytest.fixture
def address(fake: FakePrometheus) -> Iterator[str]:
    made = server.make(BOARDS, Prometheus(lambda: fake.url), library(Progress()), 0)
    thread = threading.Thread(target=made.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{made.server_address[1]}"
    made.shutdown()
    thread.join(5)
    made.server_close()


def run(browser: str, url: str, scratch: Path, *more: str) -> str:
    words = [
        *(browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-extensions"),
        *(f"--user-data-dir={scratch}/profile", f"--window-size={WIDTH},{HEIGHT}", "--virtual-time-budget=30000"),
        *more,
        url,
    ]
    done = subprocess.run(words, capture_output=True, text=True, timeout=180, cwd=scratch, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def sections(page: str, uid: str) -> dict[str, str]:
    """A dashboard's panels as the browser made them: title -> HTML."""
    parts = {int(part.partition('"')[0]): part for part in page.split('<section id="panel-')[1:]}
    return {panel["title"]: parts[number] for number, panel in BOARDS[uid].panels.items()}


@pytest.mark.parametrize("uid", BOARDS)
def test_every_panel_is_drawn(browser: str, address: str, tmp_path: Path, uid: str) -> None:
    page = run(browser, f"{address}/d/{uid}?refresh=&from=now-1h&to=now", tmp_path, "--dump-dom")
    assert 'data-state="ready"' in page
    drawn = sections(page, uid)
    for panel in BOARDS[uid].panels.values():
        html = drawn[panel["title"]]
        assert 'class="error"' not in html and 'class="none"' not in html, panel["title"]
        if panel["type"] in PLOTTED:
            assert "main-svg" in html, panel["title"]
        if panel["type"] == "stat":
            assert re.search(r"<b style=\"color: [^\"]+\">[^<]+</b>", html), panel["title"]
        if panel["type"] == "table":
            assert html.count("<tr>") > 1, panel["title"]


def test_an_empty_answer_and_a_refused_query_are_said_where_they_are(
    browser: str, address: str, fake: FakePrometheus, tmp_path: Path
) -> None:
    fake.empty, fake.refuse = True, "quantile"
    drawn = sections(run(browser, f"{address}/d/serving?refresh=", tmp_path, "--dump-dom"), "serving")
    assert 'class="error">A: no query of mine' in drawn["Latency"]
    assert 'class="none">No data' in drawn["Requests"]


def test_a_prometheus_that_is_away_is_said_at_the_top(
    browser: str, address: str, fake: FakePrometheus, tmp_path: Path
) -> None:
    fake.url = "http://127.0.0.1:1"
    page = run(browser, f"{address}/d/serving?refresh=", tmp_path, "--dump-dom")
    assert 'data-state="trouble"' in page
    assert re.search(
        r'<p id="trouble" role="alert">Prometheus does not answer[^<]*next: see what is wrong with it: lab status', page
    )


@pytest.mark.parametrize(("theme", "ground"), [("light", (244, 245, 247)), ("dark", (17, 21, 27))])
def test_it_looks_like_a_dashboard_in_light_and_dark(
    browser: str, address: str, tmp_path: Path, theme: str, ground: tuple[int, int, int]
) -> None:
    picture = tmp_path / "page.png"
    run(browser, f"{address}/d/model?refresh=&theme={theme}&from=now-1h&to=now", tmp_path, f"--screenshot={picture}")
    width, height, pixels = decoded(picture.read_bytes())
    assert (width, height) == (WIDTH, HEIGHT)
    colours = Counter(pixels[at : at + 3] for at in range(0, len(pixels), 3 * 7))
    assert bytes(ground) in [colour for colour, _ in colours.most_common(3)]
    vivid = sum(count for colour, count in colours.items() if max(colour) - min(colour) > 60)
    assert len(colours) > 100 and vivid > sum(colours.values()) / 100, "no graphs are in the picture"


def decoded(png: bytes) -> tuple[int, int, bytes]:
    """Width, height and RGB bytes of a PNG of 8 bits in RGB or RGBA, as browsers write it (W3C PNG, section 9)."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    at, data = 8, b""
    width = height = depth = 0
    while at < len(png):
        size, kind = int.from_bytes(png[at : at + 4]), png[at + 4 : at + 8]
        body = png[at + 8 : at + 8 + size]
        if kind == b"IHDR":
            width, height, depth = int.from_bytes(body[:4]), int.from_bytes(body[4:8]), {2: 3, 6: 4}[body[9]]
        data += body if kind == b"IDAT" else b""
        at += size + 12
    raw, line = zlib.decompress(data), width * depth
    before, found = bytearray(line), bytearray()
    for row in range(height):
        start = row * (line + 1)
        how, now = raw[start], bytearray(raw[start + 1 : start + 1 + line])
        for index in range(line):
            left = now[index - depth] if index >= depth else 0
            corner = before[index - depth] if index >= depth else 0
            now[index] = (now[index] + _predicted(how, left, before[index], corner)) & 255
        found += now if depth == 3 else bytes(value for index, value in enumerate(now) if index % 4 != 3)
        before = now
    return width, height, bytes(found)


def _predicted(how: int, left: int, above: int, corner: int) -> int:
    if how == 4:
        near = left + above - corner
        return min((left, above, corner), key=lambda each: abs(near - each))
    return (0, left, above, (left + above) // 2)[how]
