"""Register a model that was judged better."""

from kfp import dsl

from components.base import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def register(
    model: dsl.Input[dsl.Model],
    model_name: str,
    tracking_uri: str,
    pipeline_run: str = "",
) -> str:
    """Register a model as a new version with the alias `candidate`, and with what it came from.

    Tags: the run, the digest and days of the data, the pipeline's run, and why it was found better. Registering the
    same model again gives the same version.

    Args:
        model: the model that `train` made.
        model_name: the registered model; made when it is not there.
        tracking_uri: the MLflow server.
        pipeline_run: the pipeline's run.

    Returns:
        The version.
    """
    from delays import registry

    kept = {name: str(model.metadata[name]) for name in ("run_id", "model_id")}
    client = registry.connect(tracking_uri)
    tags = {
        "run_id": kept["run_id"],
        "data.sha256": str(model.metadata.get("data_sha256", "")),
        "data.days": str(model.metadata.get("data_days", "")),
        "pipeline.run": pipeline_run,
        "why": client.get_run(kept["run_id"]).data.tags.get(registry.WHY, ""),
    }
    version = registry.register(client, model_name, kept, tags)
    client.set_registered_model_alias(model_name, registry.CANDIDATE, version.version)
    print(f"{model_name} version {version.version}, from run {kept['run_id']}")
    return str(version.version)
