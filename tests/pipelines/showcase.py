"""A pipeline whose steps make what pages can show: metrics, a confusion matrix, a ROC curve, Markdown, HTML, text."""

# No `from __future__ import annotations`: the SDK reads the annotations of components as objects.
# ruff: noqa: PTH103, PTH123, UP006, UP035
from typing import Dict, List

from kfp import dsl

from tests.conformance.pipelines import component


@component
def prepare(days: int, flights: dsl.Output[dsl.Dataset]) -> int:
    with open(flights.path, "w") as file:
        file.write("day,flights,delayed\n")
        for day in range(days):
            file.write(f"{day},{1000 + day * 7 % 90},{180 + day * 13 % 60}\n")
    print(f"{days} days of flights")
    return days


@component
def train(flights: dsl.Input[dsl.Dataset], rate: float, model: dsl.Output[dsl.Model], seconds: float) -> None:
    import json
    import time

    for step in range(4):
        print("epoch", step, flush=True)
        time.sleep(seconds / 4)
    with open(model.path, "w") as file:
        json.dump({"rate": rate, "weights": [0.1, 0.2]}, file)


@component
def evaluate(
    model: dsl.Input[dsl.Model],
    scores: dsl.Output[dsl.Metrics],
    quality: dsl.Output[dsl.ClassificationMetrics],
    report: dsl.Output[dsl.Markdown],
    chart: dsl.Output[dsl.HTML],
    sliced: dsl.Output[dsl.SlicedClassificationMetrics],
    picture: dsl.Output[dsl.Artifact],
    files: dsl.Output[dsl.Artifact],
) -> float:
    import base64
    import math
    import os

    scores.log_metric("accuracy", 0.912)
    scores.log_metric("mean absolute error", 7.25)
    quality.log_confusion_matrix(["on time", "delayed", "<cancelled>"], [[812, 64, 3], [71, 209, 9], [2, 11, 41]])
    rates = [each / 24 for each in range(25)]
    quality.log_roc_curve(rates, [math.sqrt(each) ** 0.7 for each in rates], [1 - each for each in rates])
    with open(report.path, "w") as file:
        file.write(
            "# Report\n\n| class | share |\n|---|---|\n| delayed | 0.2 |\n\n<script>document.title='taken'</script>\n"
        )
    with open(chart.path, "w") as file:
        file.write(
            "<h1 id=h>chart</h1><script>h.textContent='drawn';try{parent.document.title='taken'}"
            "catch(e){h.textContent+=' alone'}</script>"
        )
    north = {"annotationSpecs": [{"displayName": "up"}], "rows": [{"row": [77]}]}
    sliced.metadata = {
        "evaluationSlices": [{"slice": "north", "sliceClassificationMetrics": {"confusionMatrix": north}}]
    }
    dot = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    with open(picture.path, "wb") as image:
        image.write(base64.b64decode(dot))
    os.makedirs(files.path)
    with open(files.path + "/inside.txt", "w") as file:
        file.write("text")
    return 0.912


@component
def publish(model: dsl.Input[dsl.Model], score: float, regions: List[str], labels: Dict[str, str]) -> str:
    return f"{score} {regions} {labels}"


@dsl.pipeline(name="flight-delays", description="Trains a model of delays, and publishes it if it is good.")
def showcase(
    days: int = 30,
    rate: float = 0.1,
    note: str = "nightly",
    careful: bool = True,
    regions: List[str] = ["north", "south"],  # noqa: B006
    labels: Dict[str, str] = {"team": "a"},  # noqa: B006
    seconds: float = 2.0,
):
    data = prepare(days=days)
    model = train(flights=data.outputs["flights"], rate=rate, seconds=seconds)
    checked = evaluate(model=model.outputs["model"])
    with dsl.If(careful == True, name="careful"):  # noqa: E712
        publish(
            model=model.outputs["model"], score=checked.outputs["Output"], regions=regions, labels=labels
        ).set_display_name("publish")
