"""The retraining pipeline: from days of flights to a model in service, if those are fit and this is better."""

from kfp import dsl

from components.deploy.component import deploy
from components.evaluate.component import evaluate
from components.prepare.component import prepare
from components.register.component import register
from components.train.component import train
from components.validate.component import validate


@dsl.pipeline(name="retrain")
def retrain(first_day: str, last_day: str, source: str, model_name: str, tracking_uri: str, url: str):
    """Parameters as the components take them."""
    known = {"model_name": model_name, "tracking_uri": tracking_uri}
    data = prepare(first_day=first_day, last_day=last_day, held_out_days=7, source=f"{source}/flights")
    # The held out flights too: whoever spoils both spoils the judgement with the model.
    checked = [validate(rows=data.outputs[name], **known) for name in ("rows", "held_out")]
    trained = train(
        rows=data.outputs["rows"],
        tracking_uri=tracking_uri,
        experiment=model_name,
        pipeline_run=dsl.PIPELINE_JOB_ID_PLACEHOLDER,
    ).after(*checked)
    judged = evaluate(candidate=trained.outputs["model"], held_out=data.outputs["held_out"], **known)
    for task in (data, *checked, judged):
        task.set_caching_options(False)
    with dsl.If(judged.outputs["Output"] == True):  # noqa: E712 - becomes the pipeline's condition
        registered = register(model=trained.outputs["model"], pipeline_run=dsl.PIPELINE_JOB_ID_PLACEHOLDER, **known)
        deployed = deploy(version=registered.output, url=url, **known)
        for task in (registered, deployed):
            task.set_caching_options(False)
