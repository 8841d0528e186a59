"""Launches in a real browser, also in a frame of the platform's page, of another site: cookies, forms, policies."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.unit.lti.world import World

pytestmark = pytest.mark.long


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(ignore_https_errors=True, viewport={"width": 390, "height": 800})
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if "Security Policy" in message.text else None)
    yield page
    context.close()
    assert said == []


def test_a_learner_comes_in_a_window(world: World, page: Page) -> None:
    page.goto(f"{world.school.address}/begin?user=ada&link=r1")
    page.wait_for_url(f"{world.tool.address}/lti/launch")
    expect(page.locator("body")).to_contain_text('"user": "ada"')


def test_a_learner_comes_in_a_frame(world: World, page: Page) -> None:
    page.goto(f"{world.school.address}/frame?user=ada&link=r1")
    expect(page.frame_locator("iframe").locator("body")).to_contain_text('"user": "ada"')


def test_a_teacher_chooses_labs_in_a_frame(world: World, page: Page) -> None:
    world.school.chosen.clear()
    page.goto(f"{world.school.address}/frame?user=grace&link=choose")
    tool = page.frame_locator("iframe")
    tool.get_by_label("11 Autoscale on requests").check()
    tool.get_by_role("button", name="Add to the course").press("Enter")
    expect(tool.locator("body")).to_contain_text("taken")
    assert [each["custom"] for each in world.school.chosen] == [{"lab": "11"}]


def test_trouble_is_seen_in_a_frame(world: World, page: Page) -> None:
    page.goto(f"{world.school.address}/frame?user=ada&link=choose")
    expect(page.frame_locator("iframe").get_by_role("heading")).to_have_text("That did not work")
