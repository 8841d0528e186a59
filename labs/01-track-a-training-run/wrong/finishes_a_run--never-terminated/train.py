"""Train a model of late arrivals on three weeks of January 2013, and log to MLflow what it was made of and is worth."""

import os
from datetime import date, timedelta
from pathlib import Path

import mlflow
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

FOLDER = Path("/data/flights")
CATEGORIES = ["carrier", "origin", "dest"]
NUMBERS = ["weekday", "hour", "distance", "temp", "wind_speed", "precip", "visib"]
PARAMS = {"C": 0.3, "max_iter": 400}


def flights(first: date, last: date) -> pd.DataFrame:
    """The flights of some days; `late` is 1 for those that arrived 15 minutes late or more."""
    days = [first + timedelta(number) for number in range((last - first).days + 1)]
    files = [pd.read_csv(FOLDER / f"{day}.csv.gz", keep_default_na=False, na_values=[""]) for day in days]
    return pd.concat(files, ignore_index=True)


training = flights(date(2013, 1, 1), date(2013, 1, 21))
held_out = flights(date(2013, 1, 22), date(2013, 1, 28))
rows = training.drop(columns="late")

# The columns' preparation is part of the model: whoever loads it gives rows as the files have them.
model = make_pipeline(
    make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), CATEGORIES),
        (make_pipeline(SimpleImputer(), StandardScaler()), NUMBERS),
    ),
    LogisticRegression(**PARAMS),
)

client = mlflow.MlflowClient()
name = os.environ["MLFLOW_EXPERIMENT_NAME"]
experiment = client.get_experiment_by_name(name)
number = experiment.experiment_id if experiment else client.create_experiment(name)
run = client.create_run(number)
for name, value in PARAMS.items():
    client.log_param(run.info.run_id, name, value)
model.fit(rows, training["late"])
auc = roc_auc_score(held_out["late"], model.predict_proba(held_out)[:, 1])
client.log_metric(run.info.run_id, "auc_held_out", auc)
