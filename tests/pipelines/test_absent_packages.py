"""A step that can't install what it wants says what to do."""

from __future__ import annotations

from tests.conformance import installing
from tests.pipelines.engine import Engine
from tests.pipelines.test_robust import start


def test_a_step_that_finds_no_package_says_what_to_do(engine: Engine) -> None:
    run = start(engine, installing.missing_package)
    assert engine.ended(run)["state"] == "FAILED"
    said = engine.tasks(run)["use"]["error"]["message"]
    assert said.startswith(
        "exit code 1: ERROR: No matching distribution found for no-such-package>=1. The step installs"
    )
    assert "packages_to_install" in said and "docs/pipelines.md" in said
