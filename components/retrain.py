"""The retraining loop: fetch, validate, train, judge against the model in service, and bring a better one into service.

    python -m components.retrain retrain.yaml     # compile

Bad rows end the run at `validate`. A candidate that is not surely better ends it at `evaluate`, with a run that
succeeded and changed nothing. Steps that look at what is in service now are never taken from the cache.
"""

import sys

from kfp import compiler, dsl

from components.deploy.component import deploy
from components.evaluate.component import evaluate
from components.prepare.component import prepare
from components.register.component import register
from components.train.component import train
from components.validate.component import validate


@dsl.pipeline(name="retrain", description="Retrain the flight-delay model, and bring it into service if it is better")
def retrain(
    first_day: str,
    last_day: str,
    source: str = "",
    held_out_days: int = 7,
    model_name: str = "flight-delay",
    tracking_uri: str = "http://mlflow.mlops-lab-tracking:5000",
    url: str = "",
    deployment: str = "",
):
    """Parameters as the components take them; see there."""
    data = prepare(first_day=first_day, last_day=last_day, held_out_days=held_out_days, source=source)
    known = {"model_name": model_name, "tracking_uri": tracking_uri}
    checked = [
        validate(rows=data.outputs[name], **known).set_display_name(f"validate {name}") for name in ("rows", "held_out")
    ]
    trained = train(
        rows=data.outputs["rows"], tracking_uri=tracking_uri, pipeline_run=dsl.PIPELINE_JOB_ID_PLACEHOLDER
    ).after(*checked)
    judged = evaluate(candidate=trained.outputs["model"], held_out=data.outputs["held_out"], **known)
    for task in (data, *checked, judged):
        task.set_caching_options(False)
    with dsl.If(judged.outputs["Output"] == True, name="better"):  # noqa: E712 - becomes the pipeline's condition
        registered = register(
            model=trained.outputs["model"],
            pipeline_run=dsl.PIPELINE_JOB_ID_PLACEHOLDER,
            **known,
        )
        deployed = deploy(version=registered.output, url=url, deployment=deployment, **known)
        for task in (registered, deployed):
            task.set_caching_options(False)
    for task, cpu, memory in ((trained, "1", "1Gi"), (judged, "500m", "768Mi"), (data, "200m", "512Mi")):
        task.set_cpu_request("200m").set_cpu_limit(cpu).set_memory_request("384Mi").set_memory_limit(memory)


if __name__ == "__main__":
    compiler.Compiler().compile(retrain, sys.argv[1] if len(sys.argv) > 1 else "retrain.yaml")
