"""The retraining pipeline: from days of flights to a model in service.

Steps that exist (docstrings: kubectl exec deploy/alerts -- python3 -c "help('components.validate.component')"):
prepare, validate, train, evaluate, register, deploy, monitor.
"""

from kfp import dsl

from components.deploy.component import deploy
from components.prepare.component import prepare
from components.register.component import register
from components.train.component import train


@dsl.pipeline(name="retrain")
def retrain(first_day: str, last_day: str, source: str, model_name: str, tracking_uri: str, url: str):
    """Parameters as the components take them."""
    known = {"model_name": model_name, "tracking_uri": tracking_uri}
    data = prepare(first_day=first_day, last_day=last_day, held_out_days=7, source=source)
    trained = train(
        rows=data.outputs["rows"],
        tracking_uri=tracking_uri,
        experiment=model_name,
        pipeline_run=dsl.PIPELINE_JOB_ID_PLACEHOLDER,
    )
    registered = register(model=trained.outputs["model"], pipeline_run=dsl.PIPELINE_JOB_ID_PLACEHOLDER, **known)
    deployed = deploy(version=registered.output, url=url, **known)
    # What a step finds in the world (files, aliases) is never taken from the cache of an earlier run.
    for task in (data, registered, deployed):
        task.set_caching_options(False)
