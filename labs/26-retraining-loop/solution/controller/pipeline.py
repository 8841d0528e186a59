"""The retraining pipeline, in two: what makes and judges a candidate, and what brings one into service."""

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
    # One file for the checks, with all days, and the same days split for training.
    whole = prepare(first_day=first_day, last_day=last_day, held_out_days=0, source=source)
    whole.set_display_name("fetch all").set_caching_options(False)
    fit = validate(rows=whole.outputs["rows"], model_name=model_name, tracking_uri=tracking_uri)
    fit.set_caching_options(False)
    with dsl.If(fit.outputs["Output"] >= 5000, name="enough flights"):
        data = prepare(first_day=first_day, last_day=last_day, held_out_days=7, source=source)
        data.set_display_name("split").set_caching_options(False)
        # Each part by itself, too: what is spoilt in one of them may show less among all days.
        fit_parts = [
            validate(rows=data.outputs[part], model_name=model_name, tracking_uri=tracking_uri)
            for part in ("rows", "held_out")
        ]
        for checked in fit_parts:
            checked.set_caching_options(False)
        trained = train(
            rows=data.outputs["rows"],
            tracking_uri=tracking_uri,
            experiment=model_name,
            pipeline_run=dsl.PIPELINE_JOB_ID_PLACEHOLDER,
        ).after(*fit_parts)
        judged = evaluate(
            candidate=trained.outputs["model"],
            held_out=data.outputs["held_out"],
            model_name=model_name,
            tracking_uri=tracking_uri,
            margin=0.005,
        )
        judged.set_caching_options(False)
        with dsl.If(judged.outputs["Output"] == True, name="better"):  # noqa: E712
            registered = register(
                model=trained.outputs["model"],
                model_name=model_name,
                tracking_uri=tracking_uri,
                pipeline_run=dsl.PIPELINE_JOB_ID_PLACEHOLDER,
            )
            registered.set_caching_options(False)
            deployed = deploy(version=registered.output, model_name=model_name, tracking_uri=tracking_uri, url=url)
            deployed.set_caching_options(False)
