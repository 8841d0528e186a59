"""The pages in a real browser: from a form to the end of its run, without a reload and with nothing from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from kfp import compiler
from playwright.sync_api import Browser, Page, expect

from tests.browser import browser, painted_within
from tests.conformance import pipelines
from tests.pipelines import showcase
from tests.pipelines.conftest import Make
from tests.pipelines.engine import Engine
from tests.pipelines.test_pages import artifact, copied
from tests.pipelines.test_robust import start

__all__ = ["browser"]
pytestmark = pytest.mark.long
WIDE, NARROW = {"width": 1280, "height": 860}, {"width": 390, "height": 844}
expect.set_options(timeout=30_000)


@pytest.fixture
def page(browser: Browser, engine: Engine) -> Iterator[Page]:
    """A page that may ask nobody but the server, and must not report an error."""
    context = browser.new_context(viewport=WIDE, base_url=engine.url)  # type: ignore[arg-type]
    opened, wrong = context.new_page(), list[str]()
    opened.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("request", lambda asked: None if asked.url.startswith(engine.url) else wrong.append(asked.url))
    yield opened
    context.close()
    assert wrong == []


@pytest.fixture(scope="module")
def pipeline(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("package") / "pipeline.yaml"
    compiler.Compiler().compile(showcase.showcase, str(file))
    return str(engine.client.upload_pipeline(str(file), "watched").pipeline_id)


@pytest.fixture(scope="module")
def run(engine: Engine, pipeline: str) -> str:
    (version,) = engine.api(f"pipelines/{pipeline}/versions")["pipeline_versions"]
    reference = {"pipeline_id": pipeline, "pipeline_version_id": version["pipeline_version_id"]}
    given = {"display_name": "seen", "pipeline_version_reference": reference}
    key = engine.api("runs", {**given, "runtime_config": {"parameters": {"seconds": 0.1}}})["run_id"]
    assert engine.ended(key)["state"] == "SUCCEEDED"
    return str(key)


def test_from_the_form_to_the_end_of_the_run(page: Page, engine: Engine, pipeline: str) -> None:
    page.goto("/")
    page.get_by_role("link", name="Start a run").click()
    page.get_by_label("Pipeline and version").select_option("watched (newest)")
    page.get_by_role("button", name="Next").click()
    page.get_by_label("Name", exact=True).fill("by hand")
    page.get_by_label("seconds").fill("4")
    page.get_by_label("careful").select_option("false")
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_text("The run has started.")).to_be_visible()
    page.evaluate("window.kept = true")  # a page that loads anew has forgotten it
    expect(page.locator("#head .state.RUNNING")).to_be_visible()
    expect(page.locator("a.box.RUNNING", has_text="train")).to_be_visible()
    page.locator("a.box", has_text="train").click()
    expect(page.locator("#panel h2")).to_have_text("train")
    expect(page.locator("#panel .log")).to_contain_text("epoch 1")
    assert page.locator("#facts .state.RUNNING").is_visible()
    expect(page.locator("#panel .log")).to_contain_text("epoch 3")
    expect(page.locator("#facts .state.SUCCEEDED")).to_be_visible()
    expect(page.locator("#head .state.SUCCEEDED")).to_be_visible()
    expect(page.locator("a.box.SKIPPED", has_text="careful")).to_be_visible()
    expect(page.locator("#results")).to_contain_text("mean absolute error")
    expect(page.locator("a.box[aria-current]")).to_have_text(re.compile("train"))
    page.get_by_text("Pod events").click()
    expect(page.locator(".events")).to_contain_text("the cluster keeps them")
    assert page.evaluate("window.kept")


def test_keys_are_enough(page: Page, run: str) -> None:
    page.goto(f"/runs/{run}")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.locator("a.box", has_text="evaluate").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#panel h2")).to_have_text("evaluate")
    expect(page.locator("#panel")).to_contain_text("AUC")
    expect(page.locator("#panel h2")).to_be_focused()
    page.go_back()
    expect(page.locator("#panel h2")).to_have_text("The run")


def test_what_changes_is_told_and_a_longer_log_keeps_what_is_marked(page: Page, engine: Engine, pipeline: str) -> None:
    (version,) = engine.api(f"pipelines/{pipeline}/versions")["pipeline_versions"]
    reference = {"pipeline_id": pipeline, "pipeline_version_id": version["pipeline_version_id"]}
    given = {"display_name": "told", "pipeline_version_reference": reference}
    key = engine.api("runs", {**given, "runtime_config": {"parameters": {"seconds": 6.0}}})["run_id"]
    page.goto(f"/runs/{key}")
    log = page.get_by_role("log")
    page.evaluate(
        """() => { window.heard = []; new MutationObserver(() => window.heard.push(document.getElementById("told")
        .textContent)).observe(document.getElementById("told"), { childList: true }); }"""
    )
    page.locator("a.box.RUNNING", has_text="train").click()
    expect(log).to_contain_text("epoch 1")
    page.evaluate('getSelection().selectAllChildren(document.querySelector(".log pre"))')
    marked = page.evaluate("getSelection().toString()")
    assert "epoch 1" in marked and "epoch 3" not in marked
    expect(log).to_contain_text("epoch 3")
    assert "epoch 1" in page.evaluate("getSelection().toString()")
    assert log.inner_text().count("epoch 1") == 1
    for words in ("The run: succeeded", "train: succeeded"):
        page.wait_for_function("words => window.heard.some((each) => each.includes(words))", arg=words)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.url.endswith("/log") else None)
    page.wait_for_timeout(4500)
    assert len(asked) <= 1, asked  # the log has ended


def test_the_address_of_the_sdk(page: Page, run: str) -> None:
    page.goto(f"/#/runs/details/{run}")
    expect(page.locator("h1")).to_have_text("seen")
    page.goto("/#//127.0.0.1:1/")  # another host is no page of ours
    page.wait_for_timeout(300)
    expect(page.locator("h1")).to_have_text("Runs")


def test_a_deletion_asks_first_also_while_the_page_changes(page: Page, engine: Engine) -> None:
    key = start(engine, pipelines.slow, seconds=600.0)
    page.goto(f"/runs/{key}")
    page.get_by_role("button", name="Terminate…").click()
    page.wait_for_timeout(4000)  # the graph has changed meanwhile
    asked = page.get_by_role("dialog", name="Terminate")
    expect(asked).to_be_visible()
    asked.get_by_role("button", name="Cancel").click()
    expect(asked).to_be_hidden()
    page.get_by_role("button", name="Terminate…").click()
    asked.get_by_role("button", name="Terminate").click()
    expect(page.locator("#head .state.CANCELED")).to_be_visible()
    page.get_by_role("button", name="Delete…").click()
    page.get_by_role("dialog", name="Delete").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("Deleted.")).to_be_visible()
    assert engine.ask(f"/apis/v2beta1/runs/{key}")[0] == 404


def test_ticked_runs_are_compared(page: Page, engine: Engine, run: str) -> None:
    other = start(engine, pipelines.two_steps)
    engine.ended(other)
    page.goto("/")
    compare = page.get_by_role("button", name="Compare ticked runs")
    expect(compare).to_be_disabled()
    for key in (run, other):
        page.locator(f"input[value='{key}']").check()
    compare.click()
    expect(page.locator("h1")).to_have_text("Comparison of 2 runs")


def test_html_of_a_step_draws_but_reaches_nothing(page: Page, engine: Engine, run: str) -> None:
    page.goto(f"/artifacts/{artifact(engine, run, 'HTML')}")
    expect(page.frame_locator("iframe").locator("h1")).to_have_text("drawn alone")
    assert page.title().startswith("chart")
    page.goto(f"/artifacts/{artifact(engine, run, 'Markdown')}")
    assert page.title().startswith("report")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_every_page_fits(
    browser: Browser, engine: Engine, pipeline: str, run: str, size: dict[str, int], scheme: str, tmp_path: Path
) -> None:
    task = engine.tasks(run)["evaluate"]["task_id"]
    experiment = engine.api(f"runs/{run}")["experiment_id"]
    context = browser.new_context(viewport=size, color_scheme=scheme, base_url=engine.url)  # type: ignore[arg-type]
    page = context.new_page()
    for number, path in enumerate(
        (
            "/", f"/runs/{run}", f"/runs/{run}?task={task}", "/runs/new",
            f"/runs/new?pipeline={pipeline}", f"/recurring/new?pipeline={pipeline}", "/recurring", "/pipelines",
            f"/pipelines/{pipeline}", "/pipelines/upload", "/experiments", f"/experiments/{experiment}",
            f"/artifacts/{artifact(engine, run, 'Dataset')}",
        )
    ):  # fmt: skip
        page.goto(path)
        page.screenshot(path=tmp_path / f"{number}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth") == size["width"], path
        ink, ground = page.evaluate(
            "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
        )
        lights = [sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in (ink, ground)]
        assert (lights[0] < lights[1]) is (scheme == "light")
    context.close()


def test_the_first_paint_with_a_thousand_runs(browser: Browser, make: Make) -> None:
    engine = make()
    key = start(engine, pipelines.two_steps, text="x")
    engine.ended(key)
    copied(engine.data / "database" / "pipelines.db", key, 1000)
    took = painted_within(300, browser.new_context, engine.url)
    assert min(took) < 300, took
