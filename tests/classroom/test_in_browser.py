"""The pages in a real browser: what is live, how they fit, and that their policy stops nothing of their own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from mlops_lab.classroom.operator import names, requests
from mlops_lab.classroom.operator.requests import State
from mlops_lab.classroom.server.cluster import Cluster
from mlops_lab.classroom.server.settings import Class, Lti
from tests.browser import browser
from tests.classroom.at_school import school, tls, with_platform
from tests.classroom.served import LABS, TEACHER, Served, served
from tests.unit.cluster_in_memory import ClusterInMemory
from tests.unit.lti.school import School

pytestmark = pytest.mark.long
__all__ = ["browser", "school", "tls"]
Opens = Callable[..., Page]


@pytest.fixture
def at_class(tmp_path: Path) -> Iterator[Served]:
    klass = Class("Class A", LABS, shared=LABS)
    with served(tmp_path, klass=klass, lti=Lti("https://class.example"), namespace="class") as found:
        kube = ClusterInMemory()
        found.service.cluster = Cluster("class", lambda: kube)  # type: ignore[arg-type, return-value]
        for failed in (("scales", "survives"), ("survives",), ("survives",)):
            found.graded("ada", *failed)
        yield found


@pytest.fixture
def opened(browser: Browser, at_class: Served) -> Iterator[Callable[..., Page]]:
    """Opens a page of the teacher, who has logged in; nothing is odd in its console."""
    contexts, odd = list[BrowserContext](), list[str]()

    def come(**more: Any) -> Page:
        contexts.append(browser.new_context(**more))
        page = contexts[-1].new_page()
        page.on("console", lambda said: odd.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: odd.append(str(error)))
        log_in(page, at_class, TEACHER)
        page.wait_for_url("**/grades")
        return page

    yield come
    found = list(odd)
    for each in contexts:
        each.close()
    assert found == []


def log_in(page: Page, at_class: Served, token: str) -> None:
    page.goto(f"http://{at_class.host}/login")
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Log in").click()


def test_no_link_logs_anybody_in(browser: Browser, at_class: Served) -> None:
    """Somebody's link with a token of theirs would have others hand in as them."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"http://{at_class.host}/login#{at_class.token('bo')}")
    page.wait_for_load_state("networkidle")
    expect(page.get_by_label("Token")).to_have_value("")
    assert page.url.startswith(f"http://{at_class.host}/login") and context.cookies() == []
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_every_page_fits(opened: Opens, at_class: Served, scheme: Any, width: int) -> None:
    page = opened(viewport={"width": width, "height": 844}, color_scheme=scheme)
    at_class.api(at_class.token("ada"), "/api/v1/labs/10", "PUT")
    for path in ("/grades", "/map", "/labs/10", "/learners/ada", "/submissions/1", "/platforms"):
        page.goto(f"http://{at_class.host}{path}")
        expect(page.locator("main h1")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(17, 22, 28)" if scheme == "dark" else "rgb(246, 248, 250)")


def test_a_result_is_on_the_pages_within_two_seconds(opened: Opens, at_class: Served) -> None:
    grades, shown = opened(), opened()
    shown.goto(f"http://{at_class.host}/map")
    at_class.graded("bo", "scales")
    began = time.monotonic()
    expect(grades.locator("#c-bo-10")).to_have_text("7", timeout=2000)
    expect(grades.locator("#t-bo")).to_have_text("7")
    expect(shown.locator("tr", has_text="Bo").filter(has_text="scales")).to_be_visible(timeout=2000)
    assert time.monotonic() - began < 2


def test_a_learner_is_found_and_keys_are_enough(opened: Opens, at_class: Served) -> None:
    page = opened()
    page.get_by_label("Find a learner").fill("ada")
    expect(page.locator(".grades tbody tr:visible")).to_have_count(1)
    page.goto(f"http://{at_class.host}/map")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Ada L.").first).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/learners/ada")


def test_in_a_frame_of_the_learning_platform_pages_go_on(
    browser: Browser, tmp_path: Path, school: School, tls: Path
) -> None:
    with with_platform(tmp_path, school, tls):
        context = browser.new_context(ignore_https_errors=True, viewport={"width": 390, "height": 844})
        page = context.new_page()
        page.goto(f"{school.address}/frame?user=ada&link=r1")
        inner = page.frame_locator("iframe")
        expect(inner.get_by_role("heading", name="Ada Lovelace")).to_be_visible()
        inner.get_by_role("link", name="My labs").click()
        expect(inner.get_by_role("heading", name="Ada Lovelace")).to_be_visible()
        with page.expect_download() as kit:
            inner.get_by_role("button", name="Get your file").click()
        assert kit.value.suggested_filename.endswith(".json")
        inner.get_by_role("button", name="Log out").click()
        page.goto(f"{school.tool}/")
        expect(page).to_have_url(f"{school.tool}/login?next=%2F")  # the frame's session was of the frame alone
        context.close()


def test_a_learner_begins_a_lab_and_sees_what_becomes_of_it(browser: Browser, at_class: Served) -> None:
    cluster = at_class.service.cluster
    assert cluster
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    log_in(page, at_class, at_class.token("bo"))
    page.get_by_role("button", name="Begin lab 10", exact=True).click()
    expect(page.locator("#cluster .state")).to_have_text("making")
    states = {"lab-10": State("ready", namespace="l-bo-lab-10")}
    change = {"metadata": {"annotations": {names.STATUS: requests.spelled(states)}}}
    cluster._connected().patch("ConfigMap", "learner-bo", change, "class")
    expect(page.locator("#cluster .state")).to_have_text("ready")  # without a press
    expect(page.locator("#cluster code")).to_have_text("l-bo-lab-10")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()
