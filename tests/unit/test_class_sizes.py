"""What the class's server makes of the size that a request says its body has, before the body comes."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tornado.httputil import HTTPConnection, HTTPHeaders, HTTPServerRequest, RequestStartLine
from tornado.web import Application

from mlops_lab.classroom.server.handling import HEARD, Api, Refused


def prepared(told: str) -> Api:
    """A handler that has seen a request with this Content-Length."""
    connection: Any = SimpleNamespace(context=None, set_close_callback=lambda _: None)
    headers = HTTPHeaders({"Host": "class.example", "Content-Length": told})
    line = RequestStartLine("POST", "/", "HTTP/1.1")
    request = HTTPServerRequest(headers=headers, connection=cast(HTTPConnection, connection), start_line=line)
    handler = Api(Application(), request)
    asyncio.run(handler.prepare())
    return handler


@pytest.mark.parametrize("told", ["", "5", "\u00b2", "\u0665", "-1", "1, 1"])
def test_what_is_no_number_is_no_fault_of_the_server(told: str) -> None:
    assert prepared(told)._refused is None, "tornado refuses it when it reads the body"


@pytest.mark.parametrize("told", [str(HEARD + 1), "9" * 5000])
def test_a_number_beyond_all_bounds_is_too_large(told: str) -> None:
    with pytest.raises(Refused) as refused:
        prepared(told)
    assert refused.value.status_code == 413


def test_a_body_that_is_a_little_too_large_is_heard_out() -> None:
    assert isinstance(prepared(str(Api.largest + 1))._refused, Refused)
