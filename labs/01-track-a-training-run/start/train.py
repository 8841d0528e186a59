"""Train a model of late arrivals on three weeks of January 2013, and say how good it is on the week after them."""

from datetime import date, timedelta
from pathlib import Path

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


def flights(first: date, last: date) -> pd.DataFrame:
    """The flights of some days; `late` is 1 for those that arrived 15 minutes late or more."""
    days = [first + timedelta(number) for number in range((last - first).days + 1)]
    files = [pd.read_csv(FOLDER / f"{day}.csv.gz", keep_default_na=False, na_values=[""]) for day in days]
    return pd.concat(files, ignore_index=True)


training = flights(date(2013, 1, 1), date(2013, 1, 21))
held_out = flights(date(2013, 1, 22), date(2013, 1, 28))

columns = make_column_transformer(
    (OneHotEncoder(), CATEGORIES),
    (make_pipeline(SimpleImputer(), StandardScaler()), NUMBERS),
)
model = LogisticRegression(C=0.3, max_iter=400)
model.fit(columns.fit_transform(training), training["late"])

probabilities = model.predict_proba(columns.transform(held_out))[:, 1]
print(f"AUC on the held-out week: {roc_auc_score(held_out['late'], probabilities):.3f}")
