"""Search for a model of late arrivals on three weeks of January 2013: estimators in one another, each with its seed."""

from datetime import date, timedelta
from pathlib import Path

import mlflow
import pandas as pd
from mlflow.models import infer_signature
from sklearn.compose import make_column_transformer
from sklearn.ensemble import BaggingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import RandomizedSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

FOLDER = Path("/data/flights")
CATEGORIES = ["carrier", "origin", "dest"]
NUMBERS = ["weekday", "hour", "distance", "temp", "wind_speed", "precip", "visib"]
# Three estimators, of which one holds the other, have a parameter of this name, and each has its own value of it.
SEARCH = {"n_iter": 2, "random_state": 5}
BAGS = {"n_estimators": 3, "max_samples": 0.5, "random_state": 2}
INNER = {"max_iter": 400, "random_state": 1}


def flights(first: date, last: date) -> pd.DataFrame:
    """The flights of some days; `late` is 1 for those that arrived 15 minutes late or more."""
    days = [first + timedelta(number) for number in range((last - first).days + 1)]
    files = [pd.read_csv(FOLDER / f"{day}.csv.gz", keep_default_na=False, na_values=[""]) for day in days]
    return pd.concat(files, ignore_index=True)


training = flights(date(2013, 1, 1), date(2013, 1, 21))
held_out = flights(date(2013, 1, 22), date(2013, 1, 28))
rows = training.drop(columns="late")

model = make_pipeline(
    make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), CATEGORIES),
        (make_pipeline(SimpleImputer(), StandardScaler()), NUMBERS),
    ),
    BaggingClassifier(LogisticRegression(**INNER), **BAGS),
)
tried = {"baggingclassifier__estimator__C": [0.1, 0.3, 1.0]}
search = RandomizedSearchCV(model, tried, cv=2, scoring="roc_auc", **SEARCH)

with mlflow.start_run():
    mlflow.log_params(SEARCH)
    mlflow.log_params({f"baggingclassifier__{name}": value for name, value in BAGS.items()})
    mlflow.log_params({f"estimator__{name}": value for name, value in INNER.items()})
    data = mlflow.data.from_pandas(training, source=str(FOLDER), targets="late", name="january")
    mlflow.log_input(data, context="training")

    search.fit(rows, training["late"])
    mlflow.log_params(search.best_params_)
    auc = roc_auc_score(held_out["late"], search.predict_proba(held_out)[:, 1])
    mlflow.log_metric("auc_held_out", auc)

    signature = infer_signature(rows, search.predict(rows))
    needs = ["scikit-learn", "pandas"]
    mlflow.sklearn.log_model(
        search, name="model", signature=signature, serialization_format="cloudpickle", pip_requirements=needs
    )
    print(f"AUC on the held-out week: {auc}, with {search.best_params_}")
