"""Where Kubeflow Pipelines 2.17.0 does not do what a pipeline asks for: what it does instead, so that the suite asserts
it there. The embedded engine runs each of them, and says so in the run's warnings."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Difference:
    """What the real backend does with one of `pipelines`.

    Args:
        refused: words of its answer when the run is made; empty where it takes the run.
        failed: the task that fails in it, by itself or already in its driver, where it takes the run.
        warned: words of the embedded engine's warning.
    """

    warned: str
    refused: str = ""
    failed: str = ""


DIFFERENCES = {
    "loop_over_models": Difference(
        refused="artifact iterator not implemented yet", warned="it has no loops over artif"
    ),
    "loop_over_nothing": Difference(failed="total", warned="would fail at total"),
    "importing": Difference(failed="importer", warned="would fail at importer"),
    "nested_placeholders": Difference(failed="shell-optional", warned="would fail at shell-optional"),
    "dollars_kept": Difference(failed="dollars", warned="would make a single $ of each $$"),
}
