"""Components that install kfp when they start run where nothing can be downloaded: their images have it."""

from __future__ import annotations

from tests.conformance import installing
from tests.conformance.conftest import Backend, states


def test_a_component_without_arguments_and_one_on_the_components_image_run(backend: Backend) -> None:
    run = backend.finish(backend.start(installing.first_example))
    assert run.state == "SUCCEEDED", (run.error, states(run))
    assert (states(run)["greet"], states(run)["hear"]) == (["SUCCEEDED"], ["SUCCEEDED"])


def test_a_package_that_cannot_be_had_fails_the_run(backend: Backend) -> None:
    run = backend.finish(backend.start(installing.missing_package))
    assert (run.state, states(run)["use"]) == ("FAILED", ["FAILED"])
