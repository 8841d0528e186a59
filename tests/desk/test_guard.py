"""Who gets into the desk, and what its pages may do: token, cookie, Host, Origin, paths, and texts that are no HTML."""

from __future__ import annotations

from typing import Any

import pytest
import websocket

from mlops_lab.desk.markdown import rendered
from tests.desk.made_up import Served

PATHS = ["/", "/labs/04", "/static/desk.css", "/xterm/xterm.mjs", "/family/page.css", "/nothing"]
SOCKETS = ["/live/labs/04", "/live/home", "/terminal/labs/04"]


@pytest.mark.parametrize("cookie", ["", "lab-desk-1=x", "other=1"])
def test_nothing_is_answered_without_the_cookie(at_desk: Served, cookie: str) -> None:
    at_desk.begin()
    for path in PATHS:
        answer = at_desk.ask(path, Cookie=cookie)
        assert answer.status == 403 and "lab desk has printed" in answer.text and "Set-Cookie" not in answer.headers
    assert at_desk.ask("/labs/04/start", "POST", {}, Cookie=cookie).status == 403
    assert at_desk.ask("/?token=wrong", Cookie=cookie).status == 403
    for path in SOCKETS:
        with pytest.raises(websocket.WebSocketBadStatusException, match="403"):
            at_desk.socket(path, cookie=cookie)


def test_the_token_gives_a_cookie_that_no_script_and_no_other_site_can_use(at_desk: Served) -> None:
    given = at_desk.ask("/" + at_desk.address.split("/", 3)[3], Cookie="").headers["Set-Cookie"]
    assert "HttpOnly" in given and "SameSite=Strict" in given and "Path=/" in given
    assert at_desk.address.split("=")[1] not in given
    assert [at_desk.ask(path).status for path in PATHS] == [200] * 5 + [404]


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "[::2]", "0.0.0.0", "[", "[::1", "[x]", "]"],
)
def test_another_name_that_leads_here_is_refused(at_desk: Served, host: str) -> None:
    for path in PATHS:
        answer = at_desk.ask(path, Host=host)
        assert answer.status in (400, 403) and "Deploy" not in answer.text
    assert at_desk.ask("/labs/04/hint", "POST", {}, Host=host, Origin=f"http://{host}").status in (400, 403)
    for path in SOCKETS:
        with pytest.raises(websocket.WebSocketBadStatusException, match="40"):
            at_desk.socket(path, host=host or "x", origin=f"http://{host}")


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1", "http://127.0.0.1:1", None])
def test_what_changes_something_comes_from_our_own_pages_only(at_desk: Served, origin: Any) -> None:
    answer = at_desk.ask("/labs/04/hint", "POST", {}, Origin=origin)
    assert answer.status == 403 and "another site" in answer.text
    assert at_desk.records.progress() == {}
    at_desk.begin()
    for path in SOCKETS:
        more = {"suppress_origin": True} if origin is None else {"origin": origin}
        with pytest.raises(websocket.WebSocketBadStatusException, match="403"):
            at_desk.socket(path, **more)
    if origin:
        assert at_desk.ask("/", Origin=origin).status == 403


def test_what_is_refused_is_not_the_terminals_business(at_desk: Served, caplog: pytest.LogCaptureFixture) -> None:
    for path in ("/", "/nothing", "/labs/99"):
        at_desk.ask(path, Cookie="")
        for host in ("evil.example", "[", "[x]"):
            at_desk.ask(path, Host=host)
        at_desk.ask(path)
    assert caplog.records == []


def test_localhost_is_this_machine_too(at_desk: Served) -> None:
    port = at_desk.host.partition(":")[2]
    assert at_desk.ask("/", Host=f"localhost:{port}").status == 200


def test_no_path_leads_out(at_desk: Served) -> None:
    for path in (
        "/static/../server.py", "/static/%2e%2e/server.py", "/static/..%2f..%2fserver.py", "/xterm/%2e%2e/guard.py",
        "/labs/../../etc/passwd", "/labs/%2e%2e", "/labs/04/..", "/labs/99", "/family/render.py", "/static/",
        "/static//etc/passwd", "/exam", "/exam/1", "/labs/04%2f..", "/static/desk.css%00",
    ):  # fmt: skip
        answer = at_desk.ask(path)
        assert answer.status in (400, 403, 404), path
        assert "import" not in answer.text and "root:" not in answer.text


def test_a_terminal_has_a_place_that_was_started(at_desk: Served) -> None:
    for name in ("/terminal/labs/99", "/terminal/exam/1", "/terminal/labs/04"):
        kind, data = at_desk.socket(name).recv_data()
        assert kind == websocket.ABNF.OPCODE_CLOSE and data[:2] == (4404).to_bytes(2, "big"), name
    with pytest.raises(websocket.WebSocketBadStatusException, match="404"):
        at_desk.socket("/terminal/labs/..")


def test_a_body_that_is_no_object_is_a_bad_request(at_desk: Served) -> None:
    for body in ("[]", "{", "1", '"x"', "\x00", "nul"):
        assert at_desk.ask("/labs/04/hint", "POST", body).status == 400, body


def test_pages_may_load_nothing_from_elsewhere_and_run_no_script_of_their_own(at_desk: Served) -> None:
    for path in ("/", "/labs/04"):
        answer = at_desk.ask(path)
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
        assert ("unsafe-inline" in policy) is (path != "/")
        assert "unsafe" not in policy.partition("style-src")[0] and "frame-ancestors 'none'" in policy
        assert f"connect-src 'self' ws://{at_desk.host};" in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff" and "Server" not in answer.headers
        assert "<script>" not in answer.text and "onerror=alert" not in answer.text.replace("&lt;img src=x onerror", "")
        assert 'src="http' not in answer.text and "<img" not in answer.text


def test_a_text_has_its_tables_and_code_and_nothing_that_acts() -> None:
    html = rendered("# A\n\n<b>x</b> [w](https://k8s.io) [f](../f.md) [j](javascript:alert(1)) ![p](https://e.vil/p.png)\n\n"
                    "|a|b|\n|-|-|\n|1|2|\n\n    code\n\n```yaml\nkind: X\n```\n", below=1)  # fmt: skip
    assert "<h2>A</h2>" in html and "&lt;b&gt;" in html and "<td>1</td>" in html
    assert '<a href="https://k8s.io" target="_blank" rel="noopener noreferrer">w</a>' in html
    assert "<span>f</span>" in html and 'href="javascript' not in html and "e.vil" not in html
    assert html.count('<pre tabindex="0">') == 2 and "kind: X" in html


def test_a_pictures_words_are_text() -> None:
    html = rendered("![<img src=x onerror=alert(1)> & *b* `<i>`](p.png) [![<b>](q.png)](https://k8s.io)")
    assert "&lt;img src=x onerror=alert(1)&gt; &amp; b &lt;i&gt;" in html and "&lt;b&gt;</a>" in html
