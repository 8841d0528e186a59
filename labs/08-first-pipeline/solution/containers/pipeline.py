#!/usr/bin/env python3
"""Prepare as a container with a program of its own; train and evaluate in a pipeline within the pipeline."""

from pathlib import Path

from kfp import compiler, dsl

IMAGE = "localhost:5001/components:1"
HERE = Path(__file__).parent
PREPARE = (HERE / "prepare.py").read_text()


@dsl.container_component
def prepare(
    first_day: str, last_day: str, held_out_days: int, rows: dsl.Output[dsl.Dataset], held_out: dsl.Output[dsl.Dataset]
):
    """Split the flights of some days; needs nothing of KFP, nor Python packages."""
    return dsl.ContainerSpec(
        image=IMAGE,
        command=["python3", "-c", PREPARE],
        args=[first_day, last_day, held_out_days, rows.path, held_out.path],
    )


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def train(rows: dsl.Input[dsl.Dataset], seed: int, model: dsl.Output[dsl.Model]):
    """Fit a forest to the flights."""
    import joblib
    import pandas as pd
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import TargetEncoder

    flights = pd.read_csv(rows.path, keep_default_na=False, na_values=[""])
    numbers = ["weekday", "hour", "distance", "temp", "wind_speed", "precip", "visib"]
    made = make_pipeline(
        make_column_transformer(
            (TargetEncoder(random_state=seed), ["carrier", "origin", "dest"]), (SimpleImputer(), numbers)
        ),
        RandomForestClassifier(30, min_samples_leaf=20, random_state=seed),
    )
    made.fit(flights.drop(columns="late"), flights["late"])
    joblib.dump(made, model.path, compress=3)


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def evaluate(
    model: dsl.Input[dsl.Model],
    held_out: dsl.Input[dsl.Dataset],
    quality: dsl.Output[dsl.Metrics],
    curve: dsl.Output[dsl.ClassificationMetrics],
):
    """Judge the model on days that it has not seen."""
    import joblib
    import pandas as pd
    from sklearn.metrics import roc_auc_score, roc_curve

    flights = pd.read_csv(held_out.path, keep_default_na=False, na_values=[""])
    answers = joblib.load(model.path).predict_proba(flights.drop(columns="late"))[:, 1]
    quality.log_metric("auc", float(roc_auc_score(flights["late"], answers)))
    quality.log_metric("late_share", float(flights["late"].mean()))
    false, true, limits = roc_curve(flights["late"], answers)
    some = slice(1, None, max(len(false) // 50, 1))
    curve.log_roc_curve(false[some].tolist(), true[some].tolist(), limits[some].tolist())


@dsl.pipeline(name="learn")
def learn(rows: dsl.Input[dsl.Dataset], held_out: dsl.Input[dsl.Dataset], seed: int):
    trained = train(rows=rows, seed=seed)
    trained.set_cpu_request("200m").set_memory_request("384Mi").set_memory_limit("1Gi")
    evaluate(model=trained.outputs["model"], held_out=held_out)


@dsl.pipeline(name="flights")
def flights(first_day: str, last_day: str, held_out_days: int = 3, seed: int = 1):
    data = prepare(first_day=first_day, last_day=last_day, held_out_days=held_out_days)
    learn(rows=data.outputs["rows"], held_out=data.outputs["held_out"], seed=seed)


if __name__ == "__main__":
    compiler.Compiler().compile(flights, str(HERE / "pipeline.yaml"))
