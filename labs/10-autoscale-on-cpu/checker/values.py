"""Runs in a pod of the image flight-delay-pytorch:v1: what its network gives for the flights in /checker/rows.json."""

import json
from pathlib import Path

from network.model import Trained

if __name__ == "__main__":
    model = Trained(Path("/model"))
    model.start_loading().join()
    rows = json.loads(Path("/checker/rows.json").read_text())
    answer = {"reason": model.reason} if model.reason else {"probabilities": model.probabilities(rows)}
    print(json.dumps(answer), flush=True)
