"""Train the flight-delay model, and log it to MLflow."""

from kfp import dsl

from components.base import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def train(
    rows: dsl.Input[dsl.Dataset],
    model: dsl.Output[dsl.Model],
    metrics: dsl.Output[dsl.Metrics],
    tracking_uri: str,
    experiment: str = "flight-delay",
    seed: int = 13,
    trees: int = 40,
    pipeline_run: str = "",
) -> str:
    """Train the flight-delay model, and log parameters, metrics, the data set and the model with its signature.

    Args:
        rows: validated flights, as `prepare` writes them.
        model: the model's files; its metadata name the MLflow run and model.
        metrics: rows, share of late flights, AUC on what each tree did not see.
        tracking_uri: the MLflow server.
        experiment: the MLflow experiment; made when it is not there.
        seed: the same rows, seed and trees give the same model.
        trees: the size of the forest.
        pipeline_run: the pipeline's run, for the run's tags.

    Returns:
        The MLflow run's id.
    """
    import platform
    from pathlib import Path
    from typing import Any

    import mlflow
    import sklearn
    from delays import bundle, registry
    from delays.rows import FIELDS, LABEL, read
    from mlflow.data.pandas_dataset import from_pandas
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema
    from server.features import CATEGORIES, WEATHER
    from sklearn.metrics import roc_auc_score

    frame = read(rows.path)
    made, answers = bundle.train(frame, seed, trees)
    unseen = float(roc_auc_score(frame[LABEL].to_numpy(int), answers))
    figures = {"rows": float(len(frame)), "late_share": float(frame[LABEL].mean()), "auc_out_of_bag": unseen}
    sha256 = str(rows.metadata.get("sha256", ""))
    registry.connect(tracking_uri)
    mlflow.set_experiment(experiment)
    tags = {"data.sha256": sha256, "data.days": str(rows.metadata.get("days", "")), "pipeline.run": pipeline_run}
    with mlflow.start_run(tags=tags) as run:
        metadata = {
            "model_version": run.info.run_id[:8],  # until it is registered
            "auc": unseen,
            "features": made["features"],
            "rows_trained": len(frame),
            "late_share": figures["late_share"],
            "seed": seed,
            "trees": trees,
            "data": {"sha256": sha256, "days": tags["data.days"]},
            "made_with": {"python": platform.python_version(), "scikit-learn": sklearn.__version__},
        }
        folder = Path(model.path) / "bundle"
        bundle.write(folder, made, metadata, frame, answers)
        mlflow.log_params(
            {"seed": seed, "trees": trees, "leaves": bundle.LEAVES, "features": " ".join(made["features"])}
        )
        mlflow.log_metrics(figures)
        source = str(rows.metadata.get("source", "")) or rows.uri
        data = from_pandas(frame, source=source, targets=LABEL, name="flights", digest=sha256[:32] or None)
        mlflow.log_input(data, context="training")
        kinds: dict[str, Any] = dict.fromkeys(CATEGORIES, "string") | dict.fromkeys(("distance", *WEATHER), "double")
        fields: list[Any] = [ColSpec(kinds.get(name, "long"), name, required=name not in WEATHER) for name in FIELDS]
        logged = mlflow.pyfunc.log_model(
            name="model",
            loader_module="delays.bundle",
            data_path=str(folder),
            code_paths=[str(Path(module.__path__[0])) for module in (__import__("delays"), __import__("server"))],
            signature=ModelSignature(Schema(fields), Schema([ColSpec("double", "late")])),
            pip_requirements=[f"scikit-learn=={sklearn.__version__}", "pandas", "joblib"],
        )
    model.metadata.update(
        {"run_id": run.info.run_id, "model_id": logged.model_id, "data_sha256": sha256, "data_days": tags["data.days"]}
    )
    for name, value in figures.items():
        metrics.log_metric(name, round(value, 6))
    print(f"run {run.info.run_id}: AUC out of bag {unseen:.4f} on {len(frame)} flights")
    return str(run.info.run_id)
