"""Components that install kfp when they start run where nothing can be downloaded: their images have it."""

from __future__ import annotations

import kfp

from tests.conformance import installing
from tests.conformance.test_conformance import finish, start, states


def test_a_component_without_arguments_and_one_on_the_components_image_run(client: kfp.Client, within: float) -> None:
    run = finish(client, start(client, installing.first_example), within)
    assert run.state == "SUCCEEDED", (run.error, states(run))
    assert (states(run)["greet"], states(run)["hear"]) == (["SUCCEEDED"], ["SUCCEEDED"])


def test_a_package_that_cannot_be_had_fails_the_run(client: kfp.Client, within: float) -> None:
    run = finish(client, start(client, installing.missing_package), within)
    assert (run.state, states(run)["use"]) == ("FAILED", ["FAILED"])
