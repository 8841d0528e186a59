"""Train a model of late arrivals on three weeks of January 2013; MLflow's autologging sees what `fit` is given."""

from datetime import date, timedelta
from pathlib import Path

import mlflow
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OrdinalEncoder

FOLDER = Path("/data/flights")
CATEGORIES = ["carrier", "origin", "dest"]


def flights(first: date, last: date) -> pd.DataFrame:
    """The flights of some days; `late` is 1 for those that arrived 15 minutes late or more."""
    days = [first + timedelta(number) for number in range((last - first).days + 1)]
    files = [pd.read_csv(FOLDER / f"{day}.csv.gz", keep_default_na=False, na_values=[""]) for day in days]
    return pd.concat(files, ignore_index=True)


training = flights(date(2013, 1, 1), date(2013, 1, 21))
held_out = flights(date(2013, 1, 22), date(2013, 1, 28))

# A category that the training days do not have gets a number of its own; this model takes missing weather as it is.
numbered = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
model = Pipeline(
    [
        ("columns", ColumnTransformer([("categories", numbered, CATEGORIES)], remainder="passthrough")),
        ("classifier", HistGradientBoostingClassifier(max_iter=60, learning_rate=0.08, random_state=7)),
    ]
)

# Params, the data that `fit` gets, and the model with its signature; not what is computed after it.
mlflow.sklearn.autolog(log_post_training_metrics=False)
with mlflow.start_run():
    model.fit(training.drop(columns="late"), training["late"])
    mlflow.log_metric("auc_held_out", roc_auc_score(held_out["late"], model.predict_proba(held_out)[:, 1]))
