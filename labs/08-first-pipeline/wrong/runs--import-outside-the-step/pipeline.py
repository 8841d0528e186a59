#!/usr/bin/env python3
"""Prepare, train, evaluate: three Python components. Run it to compile it to pipeline.yaml."""

from datetime import date, timedelta
from pathlib import Path

from kfp import compiler, dsl

IMAGE = "localhost:5001/components:1"
step = dsl.component(base_image=IMAGE, install_kfp_package=False)


@step
def prepare(
    first_day: str, last_day: str, held_out_days: int, rows: dsl.Output[dsl.Dataset], held_out: dsl.Output[dsl.Dataset]
):
    """Split the flights of some days into those to learn from and those of the last days."""
    import pandas as pd

    first, last = date.fromisoformat(first_day), date.fromisoformat(last_day)
    days = [first + timedelta(number) for number in range((last - first).days + 1)]
    for artifact, part in ((rows, days[:-held_out_days]), (held_out, days[-held_out_days:])):
        files = [pd.read_csv(f"/data/flights/{day}.csv.gz", keep_default_na=False, na_values=[""]) for day in part]
        whole = pd.concat(files, ignore_index=True)
        whole.to_csv(artifact.path, index=False)
        artifact.metadata["rows"] = len(whole)


@step
def train(rows: dsl.Input[dsl.Dataset], seed: int, model: dsl.Output[dsl.Model]):
    """Fit a model of late arrivals."""
    import joblib
    import pandas as pd
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    flights = pd.read_csv(rows.path, keep_default_na=False, na_values=[""])
    numbered = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    made = make_pipeline(
        make_column_transformer((numbered, ["carrier", "origin", "dest"]), remainder="passthrough"),
        HistGradientBoostingClassifier(max_iter=50, random_state=seed),
    )
    made.fit(flights.drop(columns="late"), flights["late"])
    joblib.dump(made, model.path)


@step
def evaluate(model: dsl.Input[dsl.Model], held_out: dsl.Input[dsl.Dataset], metrics: dsl.Output[dsl.Metrics]):
    """Judge the model on days that it has not seen."""
    import joblib
    import pandas as pd
    from sklearn.metrics import roc_auc_score

    flights = pd.read_csv(held_out.path, keep_default_na=False, na_values=[""])
    answers = joblib.load(model.path).predict_proba(flights.drop(columns="late"))[:, 1]
    metrics.log_metric("auc", float(roc_auc_score(flights["late"], answers)))


@dsl.pipeline(name="first-pipeline")
def pipeline(first_day: str = "2013-03-01", last_day: str = "2013-03-10", held_out_days: int = 3, seed: int = 0):
    data = prepare(first_day=first_day, last_day=last_day, held_out_days=held_out_days)
    trained = train(rows=data.outputs["rows"], seed=seed)
    evaluate(model=trained.outputs["model"], held_out=data.outputs["held_out"])


if __name__ == "__main__":
    compiler.Compiler().compile(pipeline, str(Path(__file__).with_name("pipeline.yaml")))
