"""Requests to a platform go to its registration's addresses only; and the file that registers platforms."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.classroom.lti.outward import Declined, ask, following, origin
from mlops_lab.classroom.lti.ports import Answer
from mlops_lab.classroom.lti.registration import read
from tests.unit.lti.made_up import SCHOOL, Scripted, run, told

FILE = """
[[platform]]
name = "The school"
issuer = "https://school.example"
client_id = "tool-1"
authorization_endpoint = "https://school.example/auth"
token_endpoint = "https://school.example/token"
jwks_uri = "https://school.example/keys"
deployments = ["d1", "d2"]
"""


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://school.example/a?b=c", "https://school.example:443"),
        ("https://SCHOOL.example:443", "https://school.example:443"),
        ("https://school.example:8443/", "https://school.example:8443"),
        ("https://[::1]:9/", "https://[::1]:9"),
        ("http://school.example/", ""),
        ("https:///a", ""),
        ("https://me@school.example/", ""),
        ("https://school.example\\@mallory.example/", ""),
        ("https://school.example/#a", ""),
        ("https://school.example:99999/", ""),
        ("https://school.example/\nHost: x", ""),
        ("https://schöol.example/", ""),
        (f"https://{'a' * 63}.example/", f"https://{'a' * 63}.example:443"),
        (f"https://{'a' * 64}.example/", ""),
        ("https://school..example/", ""),
        ("https://school.example./", "https://school.example.:443"),
        ("//school.example/", ""),
        ("file:///etc/passwd", ""),
        ("", ""),
    ],
)
def test_the_origin_of_an_address(url: str, found: str) -> None:
    assert origin(url) == found


@pytest.mark.parametrize(
    "url",
    [
        "https://mallory.example/keys", "http://school.example/keys", "https://school.example:444/keys",
        "https://school.example.mallory.example/", "https://127.0.0.1/", "https://169.254.169.254/",
    ],
)  # fmt: skip
def test_another_address_is_not_asked(url: str) -> None:
    http = Scripted()
    http.answers["GET", url] = told({})
    with pytest.raises(LabError, match="no https address of this platform's registration"):
        run(ask(http, SCHOOL.origins, "GET", url, {}))
    assert http.asked == []


def test_an_origin_of_the_services_is_asked() -> None:
    http, url = Scripted(), "https://services.example/c1/items"
    http.answers["GET", url] = told({})
    wider = replace(SCHOOL, services=("https://services.example",))
    assert run(ask(http, wider.origins, "GET", url, {})).status == 200


def test_a_redirect_is_an_error_that_says_so() -> None:
    http = Scripted()
    http.answers["GET", SCHOOL.jwks_uri] = Answer(302, {"location": "https://mallory.example"}, b"")
    with pytest.raises(Declined) as declined:
        run(ask(http, SCHOOL.origins, "GET", SCHOOL.jwks_uri, {}))
    assert "redirects are not followed" in declined.value.hint
    assert [each[1] for each in http.asked] == [SCHOOL.jwks_uri]


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ('<https://a/?p=2>; rel="next"', "https://a/?p=2"),
        ("<https://a/1>; rel=prev, <https://a/3>; rel=next", "https://a/3"),
        ('<https://a/1>; title="rel=next"; rel="first"', ""),
        ('<https://a/1,2>; type="x"; rel="last next"', "https://a/1,2"),
        ('<?p=2>; REL="Next"', "?p=2"),
        ("<https://a/d>; rel=differences", ""),
        ("", ""),
        ("next", ""),
    ],
)
def test_the_next_page_by_a_link_header(header: str, found: str) -> None:
    assert following(header) == found


def test_a_file_of_platforms(tmp_path: Path) -> None:
    (tmp_path / "platforms.toml").write_text(FILE)
    assert read(tmp_path / "platforms.toml") == (replace(SCHOOL, name="The school"),)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("platform = 1", "array"),
        ("[[platform", "no TOML"),
        ("", "platform"),
        (FILE.replace("tool-1", ""), r"platform 1: .*length"),
        (FILE + "secret = 'x'", r"platform 1: .*unknown field `secret`"),
        (FILE.replace("jwks_uri", "keys"), "platform 1: "),
        (FILE.replace('"https://school.example/token"', '"http://school.example/token"'), "token_endpoint: .*no https"),
        (FILE + 'services = ["school.example"]', r"services\[0\]: .*no https"),
        (FILE + FILE, "platform 2 has the issuer"),
        (FILE + FILE.replace("tool-1", "tool-2").replace('["d1", "d2"]', "7"), "platform 2: "),
    ],
)
def test_a_file_that_is_wrong_says_where(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "platforms.toml"
    file.write_text(text)
    with pytest.raises(UsageError, match=said) as wrong:
        read(file)
    assert wrong.value.message.startswith(str(file))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="can't be read"):
        read(tmp_path / "platforms.toml")
