"""What the models of some runs give for some flights, in a pod of the checker's.

    python3 score.py RUN_ID...

Reads /checker/rows.json, and prints as its last line the probabilities by run.
"""

import json
import os
import sys
from pathlib import Path

import mlflow
import pandas as pd
from delays import bundle, registry
from delays.rows import FIELDS

client = registry.connect(os.environ["MLFLOW_TRACKING_URI"])
frame = pd.DataFrame(json.loads(Path("/checker/rows.json").read_text()), columns=list(FIELDS))
found = {}
for run_id in sys.argv[1:]:
    outputs = client.get_run(run_id).outputs
    if outputs is None:
        sys.exit(f"run {run_id} has logged no model")
    folder = Path(mlflow.artifacts.download_artifacts(f"models:/{outputs.model_outputs[0].model_id}"))
    found[run_id] = [float(value) for value in bundle.score(bundle.read(folder / registry.FILES)[0], frame)]
print(json.dumps(found))
