"""A real browser for the tests of pages: this machine's Chromium, driven by Playwright."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium without a window; `new_context` gives a test one of its own, of any size and colour scheme."""
    program = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    assert program, "the tests of pages need Chromium: apt-get install chromium"
    with sync_playwright() as driver:
        # Chromium's own sandbox does not start as root; the pages are ours.
        started = driver.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield started
        started.close()
