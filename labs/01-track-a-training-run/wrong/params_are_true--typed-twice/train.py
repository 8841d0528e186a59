"""Train a model of late arrivals on three weeks of January 2013, and log to MLflow what it was made of and is worth."""

from datetime import date, timedelta
from pathlib import Path

import mlflow
import pandas as pd
from mlflow.models import infer_signature
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

with mlflow.start_run():
    mlflow.log_params({"C": 1.0, "max_iter": 400})
    data = mlflow.data.from_pandas(training, source=str(FOLDER), targets="late", name="flights-of-three-weeks")
    mlflow.log_input(data, context="training")

    model.fit(rows, training["late"])
    auc = roc_auc_score(held_out["late"], model.predict_proba(held_out)[:, 1])
    mlflow.log_metric("auc_held_out", auc)

    mlflow.sklearn.log_model(
        model,
        name="model",
        signature=infer_signature(rows, model.predict(rows)),
        serialization_format="cloudpickle",
        pip_requirements=["scikit-learn", "pandas"],
    )
    print(f"AUC on the held-out week: {auc}")
