"""`lab dashboard`: the dashboards' JSON, variables, what is asked of Prometheus, and the server of the page."""

from __future__ import annotations

import errno
import http.client
import itertools
import json
import os
import re
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from mlops_lab.base.errors import LabError
from mlops_lab.cli.main import main
from mlops_lab.cluster.kubectl import Kubectl
from mlops_lab.cluster.port_forward import PortForward
from mlops_lab.platform.dashboard import answers, library, server
from mlops_lab.platform.dashboard.boards import Board, Variable, boards, targets
from mlops_lab.platform.dashboard.prometheus import NoPrometheus, Prometheus, QueryRefused
from mlops_lab.platform.dashboard.variables import fill, step_for
from tests.unit.fake_prometheus import FakePrometheus, fake_prometheus

BOARDS = boards()
PANELS = [(uid, number) for uid, board in BOARDS.items() for number in board.panels]
PAGE = Path(server.__file__).parent / "page"


@pytest.fixture
def fake() -> Iterator[FakePrometheus]:
    with fake_prometheus() as found:
        yield found


def of(fake: FakePrometheus) -> Prometheus:
    return Prometheus(lambda: fake.url)


# The dashboards


def test_there_are_five_dashboards() -> None:
    assert set(BOARDS) == {"cluster", "serving", "model", "pipelines", "business"}


def test_a_folder_without_a_dashboard_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["dashboard", "--folder", str(tmp_path)])
    assert ended.value.code == 2
    assert f"{tmp_path} holds no dashboard" in capsys.readouterr().err


@pytest.mark.parametrize("port", ["-1", "65536"])
def test_a_port_that_there_is_not_is_refused_before_anything_is_installed(
    port: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(library, "library", lambda progress: pytest.fail("something was installed"))
    with pytest.raises(SystemExit) as ended:
        main(["dashboard", "--port", port])
    assert ended.value.code == 2
    assert "Invalid value for '--port'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "asked",
    [
        {"query": {"query": 'label_values(up{job="a"}, pod)', "refId": "V"}},
        {"query": 'label_values(up{job="a"}, pod)'},
        {"definition": 'label_values(up{job="a"}, pod)', "query": "something older"},
    ],
)
def test_what_a_variable_asks_stands_in_one_of_several_fields(asked: dict[str, Any]) -> None:
    raw = {"templating": {"list": [{"name": "pod", "type": "query", **asked}]}}
    assert Board(raw).variables == [Variable("pod", "pod", 'up{job="a"}', "pod", sort=0)]


@pytest.mark.parametrize("uid", BOARDS)
def test_a_dashboard_is_whole(uid: str) -> None:
    board = BOARDS[uid]
    ids = [panel["id"] for panel in board.raw["panels"]]
    assert len(ids) == len(set(ids))
    assert board.raw["title"] and board.raw["description"] and board.window(0).span >= 300
    titles = [panel["title"] for panel in board.panels.values()]
    assert len(titles) == len(set(titles))
    for panel in board.panels.values():
        what = panel["title"]
        assert panel["description"].endswith((".", "?")), what
        assert panel["datasource"] == {"type": "prometheus", "uid": "prometheus"}, what
        settings = panel["fieldConfig"]["defaults"]
        steps = settings["thresholds"]["steps"]
        assert steps[0]["value"] is None and {step["color"] for step in steps} <= {"green", "orange", "red"}, what
        bounds = [step["value"] for step in steps[1:]]
        assert bounds == sorted(bounds), what
        assert targets(panel) and all(target.expr for target in targets(panel)), what
        if panel["type"] in ("stat", "gauge", "bargauge", "table"):
            assert all(target.instant for target in targets(panel)), what


@pytest.mark.parametrize("uid", BOARDS)
def test_panels_do_not_overlap(uid: str) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in BOARDS[uid].raw["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = set(
            itertools.product(range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"]))
        )
        assert not cells & taken, panel["title"]
        taken |= cells


@pytest.mark.parametrize(("uid", "number"), PANELS)
def test_every_variable_of_every_query_is_filled_in(uid: str, number: int) -> None:
    for expr in answers.queries(BOARDS[uid], number, {}, 3600):
        assert "$" not in expr
        assert '=~""' not in expr


PLACE = {"x": 0, "y": 0, "w": 8, "h": 8}


def change(tmp_path: Path, uid: str, **changes: Any) -> Path:
    raw = json.loads(json.dumps(BOARDS[uid].raw))
    raw.update(changes)
    (tmp_path / "x.json").write_text(json.dumps(raw))
    return tmp_path


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"time": {"from": "2026-01-01", "to": "now"}}, "2026-01-01 is no time such as now, now-30m"),
        ({"time": {"from": "now-10s", "to": "now"}}, "is not within 60 s and 366 days"),
        ({"templating": {"list": [{"name": "x", "type": "adhoc"}]}}, "x.json is not a dashboard"),
        ({"templating": {"list": [{"name": "x", "type": "query", "query": "up"}]}}, "x.json is not a dashboard"),
        ({"panels": [{"id": 1, "type": "stat"}]}, "x.json is not a dashboard"),
        ({"panels": [{"id": 1, "type": "stat", "gridPos": PLACE, "targets": [{"refId": "A"}]}]}, "is not a dashboard"),
    ],
)
def test_a_dashboard_that_cannot_be_drawn_is_refused(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(LabError, match=says):
        boards(change(tmp_path, "cluster", **changes))


def test_a_file_that_is_no_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(LabError, match=r"x\.json is not a dashboard"):
        boards(tmp_path)


# Variables

SPACE = Variable("space", "Space", "up", "namespace", multi=True, every=".+")
ONE = Variable("one", "One", "up", "namespace", default=("first",))
PRICE = Variable("price", "Price", default=("0.04",))


def read(**raw: Any) -> Variable:
    (found,) = Board({"templating": {"list": [raw]}}).variables
    return found


QUANTILE = read(name="q", type="custom", query="median : 0.5, 0.9")
COLOUR = read(name="colour", type="custom", query="r,g", multi=True, includeAll=True, current={"value": ["$__all"]})
WINDOW = read(name="window", type="interval", query="1m,5m", auto=True, current={"value": "$__auto_interval_window"})


@pytest.mark.parametrize(
    ("text", "chosen", "filled"),
    [
        ('up{namespace=~"$space"}', {}, 'up{namespace=~".+"}'),
        ('up{namespace=~"$space"}', {"space": ["a.b"]}, r'up{namespace=~"a\\.b"}'),
        ('up{namespace=~"${space}"}', {"space": ["a", "b+"]}, r'up{namespace=~"(a|b\\+)"}'),
        ('up{namespace=~"$space"}', {"space": ['"} or vector(1) or up{x="']}, None),
        ('up{namespace="$one"}', {}, 'up{namespace="first"}'),
        ('up{namespace="$one"}', {"one": ["a.b"]}, 'up{namespace="a.b"}'),
        ("x * $price", {}, "x * 0.04"),
        ("x * $price", {"price": ["1"]}, "x * 1"),
        ("increase(x[$__range]) / $__range_s", {}, "increase(x[3600s]) / 3600"),
        ("rate(x[$__rate_interval]) + x[$__interval]", {}, "rate(x[40s]) + x[10s]"),
        ("x[[one]] * ${__interval_ms} * ${__range_ms:raw}", {"one": ["1"]}, "x1 * 10000 * 3600000"),
        ('up{namespace=~"${space:pipe}"}', {"space": ["a.b", "c"]}, 'up{namespace=~"a.b|c"}'),
        ('up{namespace=~"${space:regex}"}', {"space": ["a.b", "c"]}, r'up{namespace=~"(a\.b|c)"}'),
        ("in (${space:doublequote})", {"space": ['a"b', "c"]}, r'in ("a\"b","c")'),
        ("in (${space:singlequote})", {"space": ["a'b", "c"]}, r"in ('a\'b','c')"),
        ("${space:csv} ${space:json}", {"space": ["a", "b"]}, 'a,b ["a", "b"]'),
        ("quantile($q, x)", {}, "quantile(0.5, x)"),
        ("quantile($q, x)", {"q": ["0.9"]}, "quantile(0.9, x)"),
        ('x{c=~"$colour"}', {}, 'x{c=~"(r|g)"}'),
        ('x{c=~"$colour"}', {"colour": ["g"]}, 'x{c=~"g"}'),
        ("x[$window]", {}, "x[10s]"),
    ],
)
def test_variables_are_filled_in_as_grafana_does(text: str, chosen: dict[str, list[str]], filled: str | None) -> None:
    found = fill(text, [SPACE, ONE, PRICE, QUANTILE, COLOUR, WINDOW], chosen)
    if filled is None:
        assert found == r'up{namespace=~"\"\\} or vector\\(1\\) or up\\{x=\""}', "a value must stay within its quotes"
    else:
        assert found == filled


def test_a_name_that_is_no_variable_stays_as_it_is() -> None:
    """`$1` of label_replace, for one."""
    text = 'label_replace(up, "a", "$1", "b", "(.+)") + $nobody'
    assert fill(text, [], {}) == text


@pytest.mark.parametrize(("span", "step"), [(300, 10), (2400, 10), (2401, 20), (86400, 360), (604800, 2520)])
def test_a_line_has_240_points_at_most(span: int, step: int) -> None:
    assert step_for(span) == step
    assert span / step <= 240


def test_choices_depend_on_those_before_and_lost_ones_are_dropped(fake: FakePrometheus) -> None:
    chosen = {"namespace": ["shop"], "app": ["gone", "other.app"]}
    found = answers.choices(BOARDS["serving"], chosen, of(fake))
    assert [(each["name"], each["chosen"]) for each in found] == [("namespace", ["shop"]), ("app", ["other.app"])]
    assert found[1]["names"] == {"model": "model", "other.app": "other.app"}
    assert found[1]["options"] == ["model", "other.app"]
    assert 'last_over_time(app:http_requests:rate1m{namespace=~"shop"}[1h])' in fake.asked[1][1]["query"]


def test_a_default_choice_stays_although_it_is_not_there_yet(fake: FakePrometheus) -> None:
    """The dashboard of pipelines looks at their namespace, before the first run too."""
    (namespace,) = answers.choices(BOARDS["pipelines"], {}, of(fake))
    assert namespace["chosen"] == ["mlops-lab-pipelines"]


def test_a_text_is_kept_as_it_was_given(fake: FakePrometheus) -> None:
    found = {each["name"]: each for each in answers.choices(BOARDS["business"], {"price": ["0.1"]}, of(fake))}
    assert found["price"]["chosen"] == ["0.1"] and found["objective"]["chosen"] == ["0.995"]
    assert found["price"]["kind"] == "text"


# Series


def board(*exprs: str, kind: str = "timeseries", legend: str = "{{status}}") -> Board:
    raw = json.loads(json.dumps(BOARDS["cluster"].raw))
    wanted = [
        {"refId": "ABC"[index], "expr": expr, "legendFormat": legend, "instant": kind == "stat"}
        for index, expr in enumerate(exprs)
    ]
    raw["panels"] = [{**raw["panels"][0], "id": 1, "type": kind, "targets": wanted}]
    return Board(raw)


def test_a_range_is_asked_for_on_whole_steps(fake: FakePrometheus) -> None:
    found = answers.series(board("x"), 1, {}, 3600, of(fake), now=10_007.5)
    ((path, form),) = fake.asked
    assert path == "/api/v1/query_range"
    assert (form["start"], form["end"], form["step"]) == ("6400.000", "10000.000", "20")
    assert (found["begin"], found["end"], found["step"]) == (6407.5, 10_007.5, 20)
    assert [each["name"] for each in found["series"]] == ["200", "500"]
    assert len(found["series"][0]["points"]) == 181


def test_an_instant_is_asked_for_now(fake: FakePrometheus) -> None:
    found = answers.series(board("x", kind="stat"), 1, {}, 3600, of(fake), now=10_007.5)
    assert fake.asked == [("/api/v1/query", {"query": "x", "time": "10007.500"})]
    assert found["series"][0]["points"] == [(1000.5, 0.6)]


def test_one_refused_query_does_not_hide_the_others(fake: FakePrometheus) -> None:
    fake.refuse = "bad"
    found = answers.series(board("good", "bad"), 1, {}, 3600, of(fake))
    assert {each["ref"] for each in found["series"]} == {"A"}
    assert found["errors"] == ["B: no query of mine"]


def test_what_is_not_a_number_has_no_value(fake: FakePrometheus) -> None:
    found = answers.series(board("NaN", kind="stat"), 1, {}, 3600, of(fake))
    assert found["series"][0]["points"] == [(1000.5, None)]
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize(
    ("form", "labels", "name"),
    [
        ("{{app}} p{{ quantile }}", {"app": "m", "quantile": "0.99"}, "m p0.99"),
        ("{{app}}", {}, ""),
        ("p50", {"app": "m"}, "p50"),
        ("__auto", {"__name__": "up", "app": "m"}, 'up{app="m"}'),
        ("__auto", {"__name__": "up"}, "up"),
        ("__auto", {}, "value"),
    ],
)
def test_series_are_named_by_their_labels(form: str, labels: dict[str, str], name: str) -> None:
    assert answers.legend(form, labels) == name


# Prometheus


def test_a_query_that_is_refused_says_why(fake: FakePrometheus) -> None:
    fake.refuse = "bad"
    with pytest.raises(QueryRefused, match="no query of mine"):
        of(fake).query("bad")


@pytest.mark.parametrize(
    ("kind", "result", "said"),
    [
        ("matrix", [{"metric": {}, "values": [[1, "2"]]}], "a range vector, which has no value at one time"),
        ("string", [1, "text"], "a string, which"),
    ],
)
def test_what_has_no_value_at_one_time_is_refused(
    fake: FakePrometheus, monkeypatch: pytest.MonkeyPatch, kind: str, result: Any, said: str
) -> None:
    data = {"resultType": kind, "result": result}
    monkeypatch.setattr(fake, "answer", lambda path, form: (200, {"status": "success", "data": data}))
    with pytest.raises(QueryRefused, match=said):
        of(fake).query("up[5m] # \ud800")


@pytest.mark.parametrize("status", [500, 503])
def test_trouble_of_its_own_is_not_the_querys(
    fake: FakePrometheus, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    trouble = {"status": "error", "errorType": "unavailable", "error": "TSDB not ready"}
    monkeypatch.setattr(fake, "answer", lambda path, form: (status, trouble))
    with pytest.raises(NoPrometheus, match="no answer now: TSDB not ready") as raised:
        of(fake).query("up")
    assert raised.value.transient


def test_nobody_answers() -> None:
    with pytest.raises(NoPrometheus, match="does not answer") as raised:
        Prometheus(lambda: "http://127.0.0.1:1").query("x")
    assert raised.value.transient


def test_somebody_else_answers() -> None:
    made = server.make({}, Prometheus(lambda: ""), Path(__file__), 0)
    threading.Thread(target=made.serve_forever, args=(0.05,), daemon=True).start()
    try:
        with pytest.raises(NoPrometheus, match="is no Prometheus"):
            Prometheus(lambda: f"http://127.0.0.1:{made.server_address[1]}").query("x")
    finally:
        made.shutdown()
        made.server_close()


def test_a_way_that_was_lost_is_made_anew_once(fake: FakePrometheus) -> None:
    ways = ["http://127.0.0.1:1", fake.url]
    found = Prometheus(lambda: ways[0], lambda: ways.pop(0) and None).query("x")  # type: ignore[func-returns-value]
    assert found and ways == [fake.url]


# The way through the cluster


@pytest.fixture
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A kubectl that says it forwards (or what is in the file `says`), counts its starts and stays."""
    script = tmp_path / "kubectl"
    script.write_text(
        f"#!/bin/sh\necho start >> {tmp_path}/starts\nif [ -e {tmp_path}/says ]; then cat {tmp_path}/says; exit 1; fi\n"
        'echo "Forwarding from 127.0.0.1:4567 -> 9090"\nexec sleep 60\n'
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr("mlops_lab.cluster.kubectl.find", lambda name: script)
    return tmp_path


def test_a_port_forward_is_made_once_and_again_when_it_was_lost(kubectl: Path) -> None:
    with PortForward(Kubectl("nowhere"), "space", "prometheus", 9090) as way:
        assert way.address() == way.address() == "http://127.0.0.1:4567"
        assert (kubectl / "starts").read_text().count("start") == 1
        way.lost()
        assert way.address() == "http://127.0.0.1:4567"
        assert (kubectl / "starts").read_text().count("start") == 2
        child = way._child
        assert child
        os.kill(child.pid, 9)
        child.wait(5)
        way.address()
        assert (kubectl / "starts").read_text().count("start") == 3
        last = way._child
    assert last and last.poll() is not None, "kubectl was left behind"


def test_a_port_forward_that_fails_says_what_kubectl_said(kubectl: Path) -> None:
    (kubectl / "says").write_text("error: services prometheus not found\n")
    with pytest.raises(LabError, match="can't be reached") as error:
        PortForward(Kubectl("nowhere"), "space", "prometheus", 9090, hint="lab up --with monitoring").address()
    assert "not found" in error.value.message
    assert "lab up --with monitoring" in error.value.hint


# The server


class Site:
    """The page's server on a fake Prometheus."""

    def __init__(self, port: int) -> None:
        self._port = port

    def get(self, path: str, host: str = "127.0.0.1") -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        try:
            connection.request("GET", path, headers={"Host": host})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def json(self, path: str) -> Any:
        status, _, body = self.get(path)
        assert status == 200, body
        return json.loads(body)


@pytest.fixture
def site(fake: FakePrometheus, tmp_path: Path) -> Iterator[Site]:
    library = tmp_path / "plotly.min.js"
    library.write_text("// a library")
    made = server.make(BOARDS, of(fake), library, 0)
    assert made.server_address[0] == "127.0.0.1"
    thread = threading.Thread(target=made.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield Site(made.server_address[1])
    made.shutdown()
    thread.join(5)
    made.server_close()


def test_the_page_and_its_parts_are_served(site: Site) -> None:
    for path, kind in {
        "/": "text/html", "/d/serving": "text/html", "/page/page.css": "text/css", "/page/page.js": "text/javascript",
        "/page/draw.js": "text/javascript", "/page/plots.js": "text/javascript", "/plotly.js": "text/javascript",
    }.items():  # fmt: skip
        status, headers, body = site.get(path)
        assert (status, headers["Content-Type"]) == (200, f"{kind}; charset=utf-8"), path
        assert body
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "http" not in headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/page/../server.py", "/page/%2e%2e/server.py", "/api/boards/none", "/api/boards/cluster/panels/999"],
)
def test_there_is_nothing_elsewhere(site: Site, path: str) -> None:
    assert site.get(path)[0] == 404


@pytest.mark.parametrize(("host", "status"), [("localhost:3080", 200), ("127.0.0.1:1", 200), ("evil.example", 403)])
def test_a_page_of_strangers_cannot_read_it(site: Site, host: str, status: int) -> None:
    assert site.get("/api/boards", host)[0] == status


@pytest.mark.parametrize(
    "begin", ["now-5s", "x", "-1", "now-9999999999d", "99999999999999999999", "now-5000w", "\u0661"]
)
def test_a_range_that_is_none_is_refused(site: Site, begin: str) -> None:
    assert site.get(f"/api/boards/serving/panels/1?to=now&from={quote(begin)}")[0] == 400


def test_a_range_in_the_past_is_asked_for_there(site: Site, fake: FakePrometheus) -> None:
    found = site.json("/api/boards/serving/panels/6?from=1700000000000&to=1700000900000")
    assert (found["begin"], found["end"]) == (1700000000, 1700000900)
    assert (fake.asked[-1][1]["start"], fake.asked[-1][1]["end"]) == ("1700000000.000", "1700000900.000")


@pytest.mark.parametrize(("uid", "number"), PANELS)
def test_every_panel_is_answered(site: Site, fake: FakePrometheus, uid: str, number: int) -> None:
    found = site.json(f"/api/boards/{uid}/panels/{number}?from=now-15m&to=now&var-namespace=shop&var-app=other.app")
    assert found["errors"] == [] and found["series"]
    for _, form in fake.asked:
        assert "$" not in form["query"]


def test_choices_come_with_the_dashboards(site: Site) -> None:
    assert {each["uid"] for each in site.json("/api/boards")} == set(BOARDS)
    assert site.json("/api/boards/model")["times"] == ["now-30m", "now"]
    assert [each["name"] for each in site.json("/api/boards/model/variables")] == ["namespace", "app", "of"]


def test_a_prometheus_that_is_away_is_said_to_be(tmp_path: Path) -> None:
    made = server.make(BOARDS, Prometheus(lambda: "http://127.0.0.1:1"), tmp_path / "none", 0)
    thread = threading.Thread(target=made.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    status, _, body = Site(made.server_address[1]).get("/api/boards/cluster/panels/1")
    made.shutdown()
    thread.join(5)
    made.server_close()
    assert status == 503
    assert json.loads(body)["next"] == "see what is wrong with it: lab status"


def override(matcher: dict[str, Any], name: str = "unit") -> list[dict[str, Any]]:
    return [{"matcher": matcher, "properties": [{"id": name, "value": "s"}]}]


@pytest.mark.parametrize(
    "config",
    [
        {"overrides": override({"id": "byRegexp", "options": "+"})},
        {"defaults": {"mappings": [{"type": "regex", "options": {"pattern": "("}}]}},
        {"defaults": {"thresholds": {"steps": [{"value": None}]}}},
        {
            "defaults": {"custom": None},
            "overrides": override({"id": "byType", "options": "number"}, "custom.fillOpacity"),
        },
    ],
    ids=["matcher", "mapping", "threshold", "custom"],
)
def test_a_panel_with_odd_json_is_said_to_be_so(
    fake: FakePrometheus, tmp_path: Path, capfd: pytest.CaptureFixture[str], config: dict[str, Any]
) -> None:
    raw = json.loads(json.dumps(BOARDS["cluster"].raw))
    raw["panels"] = [{**raw["panels"][0], "id": 1, "type": "stat", "fieldConfig": config}]
    (tmp_path / "odd.json").write_text(json.dumps(raw))
    made = server.make(boards(tmp_path), of(fake), tmp_path / "none", 0)
    thread = threading.Thread(target=made.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        status, _, body = Site(made.server_address[1]).get("/api/boards/cluster/panels/1")
    finally:
        made.shutdown()
        thread.join(5)
        made.server_close()
    assert status == 400 and body.startswith(b"the dashboard's JSON has what can't be drawn: "), body
    assert not capfd.readouterr().err


def test_a_browser_that_leaves_is_nothing_to_tell(
    site: Site, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    left = threading.Event()

    def leaves(*_: object) -> None:
        left.set()
        raise BrokenPipeError

    with monkeypatch.context() as patch:
        patch.setattr(server._Handler, "_send", leaves)
        with pytest.raises((http.client.HTTPException, OSError)):
            site.get("/api/boards")
    assert left.is_set() and not capfd.readouterr().err


def test_a_port_that_is_taken_is_said_to_be(site: Site, tmp_path: Path) -> None:
    with pytest.raises(LabError, match="is taken"):
        server.make(BOARDS, Prometheus(lambda: ""), tmp_path, site._port)


def test_a_port_that_only_root_may_use_is_not_said_to_be_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(server._Server, "server_bind", refused)
    with pytest.raises(LabError, match=r"port 80 on 127\.0\.0\.1 can't be used: Permission denied"):
        server.make(BOARDS, Prometheus(lambda: ""), tmp_path, 80)


def test_a_slow_reader_does_not_hold_up_others(site: Site) -> None:
    waiting = http.client.HTTPConnection("127.0.0.1", site._port, timeout=10)
    waiting.connect()  # and says nothing
    began = time.monotonic()
    site.json("/api/boards")
    waiting.close()
    assert time.monotonic() - began < 5


# The page


def test_nothing_is_fetched_from_elsewhere() -> None:
    text = "\n".join(path.read_text() for path in PAGE.iterdir())
    assert not re.findall(r"(https?:)?//[\w-]+\.[\w.-]+", text.replace("// ", ""))


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """WCAG 2.2's contrast ratio of two colours, 1 to 21."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_colours_can_be_told_from_the_ground_in_light_and_dark() -> None:
    """WCAG 2.2: text 4.5 to 1, lines of a graph 3 to 1."""
    css, draw = (PAGE / "page.css").read_text(), (PAGE / "colours.js").read_text()
    blocks = [
        dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))
        for block in re.findall(r"\{([^{}]*--back: [^{}]*)\}", css)
    ]
    assert len(blocks) == 3 and blocks[1] == blocks[2], "dark by the system and dark by choice are the same"
    for name, colours in (("LIGHT", blocks[0]), ("DARK", blocks[1])):
        for text in ("text", "quiet", "link", "good", "warn", "bad", "info", "other"):
            assert contrast(colours[text], colours["sheet"]) >= 4.5, (name, text)
            assert (
                text in ("good", "warn", "bad", "info", "other") or contrast(colours[text], colours["back"]) >= 4.5
            ), (name, text)
        found = re.search(rf"const {name} = \[(.*?)\]", draw)
        assert found
        palette = re.findall(r"#[0-9a-f]{6}", found.group(1))
        assert len(palette) == len(set(palette)) == 8
        for colour in palette:
            assert contrast(colour, colours["sheet"]) >= 3, (name, colour)
