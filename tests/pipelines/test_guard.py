"""Whom the embedded engine answers: its own pages, browsers under its own names, programs."""

from __future__ import annotations

import json

import pytest
from embedded.pages.guard import foreign, rebound
from starlette.datastructures import Headers

from tests.pipelines.conftest import Make
from tests.pipelines.test_pages import page


@pytest.mark.parametrize(
    ("headers", "on_page", "refused"),
    [
        ({"host": "127.0.0.1:8888", "origin": "http://127.0.0.1:8888", "sec-fetch-site": "same-origin"}, True, False),
        ({"host": "[::1]:8888", "origin": "http://[::1]:8888"}, True, False),
        ({"host": "ml-pipeline.kubeflow.svc:8888", "origin": "http://ml-pipeline.kubeflow.svc:8888"}, True, False),
        ({"host": "127.0.0.1:8888", "origin": "http://example.com"}, True, True),
        ({"host": "127.0.0.1:8888", "origin": "http://127.0.0.1:9999"}, True, True),
        ({"host": "127.0.0.1:8888", "origin": "null"}, True, True),
        ({"host": "127.0.0.1:8888", "sec-fetch-site": "cross-site"}, False, True),
        ({"host": "127.0.0.1:8888", "sec-fetch-site": "same-site", "origin": "http://127.0.0.1:8888"}, True, True),
        ({"host": "127.0.0.1:8888"}, True, True),
        ({"host": "127.0.0.1:8888"}, False, False),  # a program, for the API
    ],
)
def test_who_may_change_something(headers: dict[str, str], on_page: bool, refused: bool) -> None:
    assert bool(foreign(Headers(headers), page=on_page)) is refused


BROWSER = {"accept-language": "de"}  # what every browser sends, whatever a page's script asks for


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:8888", "localhost:41231", "LOCALHOST", "[::1]:8888", "10.244.1.7:8888", "[fd00::7]:8888", "",
        "ml-pipeline", "ml-pipeline:8888", "ml-pipeline.kubeflow", "ml-pipeline.kubeflow:8888",
        "ml-pipeline.kubeflow.svc", "ml-pipeline.kubeflow.svc:8888",
        "ml-pipeline.kubeflow.svc.cluster.local:8888", "pipelines.localhost:8888",
        "ml-pipeline.kubeflow.svc.cluster.local.:8888", "node-1:30888", "host.docker.internal:8888",
        "pipelines.example.com", "Pipelines.Example.com:443", "team.lab.example.org",
    ],
)  # fmt: skip
@pytest.mark.parametrize("page", [True, False])
def test_by_which_names_browsers_may_ask(host: str, page: bool) -> None:
    names = ("ml-pipeline.kubeflow", "pipelines.example.com", ".lab.example.org")
    assert not rebound(Headers({"host": host, **BROWSER}), page=page, names=names)


@pytest.mark.parametrize(
    "host",
    [
        "rebound.example.com:8888", "rebound.example.com", "127.0.0.1.example.com", "localhost.example.com",
        "ml-pipeline.kubeflow.svc.example.com", "ml-pipeline.kubeflow.example.com", "evil-localhost.com:8888",
        "xpipelines.example.com", "lab.example.org.evil.com",
    ],
)  # fmt: skip
def test_a_site_whose_name_leads_here_reads_nothing(host: str) -> None:
    names = ("ml-pipeline.kubeflow", "pipelines.example.com", ".lab.example.org")
    for header in ("accept-language", "origin", "referer", "sec-fetch-site"):
        assert rebound(Headers({"host": host, header: ""}), page=False, names=names)
    assert rebound(Headers({"host": host}), page=True, names=names)
    assert not rebound(Headers({"host": host}), page=False, names=names)  # a program, for the API


def test_the_server_asks_browsers_for_the_name(make: Make) -> None:
    engine = make(hosts="pipelines.example.com", namespace="kubeflow")
    for host, status in (
        ("rebound.example.com", 403), ("pipelines.example.com", 200), ("ml-pipeline.kubeflow:8888", 200),
        ("10.0.0.7:8888", 200), ("ml-pipeline.kubeflow.svc.cluster.local", 200),
    ):  # fmt: skip
        for path in ("/runs", "/apis/v2beta1/runs", "/healthz"):
            seen = page(engine, path, Host=host, **BROWSER)
            assert seen.status == status, (host, path)
            if path != "/runs":
                assert json.loads(seen.text)
                assert page(engine, path, Host=host).status == 200  # a program: the SDK, a probe, Prometheus
        assert page(engine, "/runs", Host=host).status == status
