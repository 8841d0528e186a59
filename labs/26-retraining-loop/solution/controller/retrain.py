"""Alertmanager posts here what is firing; a loop beside it sees to it that each drift has had its run.

Messages only change what is wanted. What to do about it is decided by looking at what there is, again and again: so a
message that comes twice, late or in the wrong order does no harm, and one that could not be acted upon is not lost.
"""

import json
import os
import threading
import time
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import requests
import yaml

NAMESPACE, EXPERIMENT = os.environ["LAB_NAMESPACE"], os.environ["KFP_EXPERIMENT"]
KFP = f"{os.environ['KFP_ENDPOINT']}/apis/v2beta1"
DAYS = f"http://days.{NAMESPACE}"
DRIFT = {"FeatureDrift", "PredictionDrift"}
PIPELINE = yaml.safe_load(Path("/compiled/pipeline.yaml").read_text())
DONE = {"SUCCEEDED", "FAILED", "CANCELED", "SKIPPED"}
LOCK, FIRING = threading.Lock(), {}  # fingerprint: since when


def ask(method, url, **more):
    answer = requests.request(method, url, timeout=10, **more)
    answer.raise_for_status()
    return answer.json()


def experiment():
    for each in ask("GET", f"{KFP}/experiments", params={"page_size": 100}).get("experiments", []):
        if each["display_name"] == EXPERIMENT:
            return each["experiment_id"]
    return ask("POST", f"{KFP}/experiments", json={"display_name": EXPERIMENT})["experiment_id"]


def since():
    """When the newest drift began; None when nothing fires."""
    with LOCK:
        return max(FIRING.values(), default=None)


def settled(where):
    """Until when drifts have been dealt with: the end of the newest run, now while it goes on, never without one."""
    query = {"experiment_id": where, "sort_by": "created_at desc", "page_size": 1}
    for run in ask("GET", f"{KFP}/runs", params=query).get("runs", []):
        done = run.get("state") in DONE
        return datetime.fromisoformat(run["finished_at"]) if done else datetime.now(UTC)
    return datetime.min.replace(tzinfo=UTC)


def reconcile():
    began = since()
    if began is None:
        return
    where = experiment()
    if settled(where) >= began:
        return
    today = date.fromisoformat(ask("GET", f"{DAYS}/today")["today"])
    parameters = {
        "first_day": str(today - timedelta(days=27)),
        "last_day": str(today),
        "source": DAYS,
        "model_name": os.environ["MODEL_NAME"],
        "tracking_uri": os.environ["MLFLOW_TRACKING_URI"],
        "url": f"http://model.{NAMESPACE}",
    }
    body = {
        "display_name": f"drift of {began:%H:%M:%S}",
        "experiment_id": where,
        "pipeline_spec": PIPELINE,
        "runtime_config": {"parameters": parameters},
    }
    print("started", ask("POST", f"{KFP}/runs", json=body)["run_id"], parameters, flush=True)


def loop():
    while True:
        try:
            reconcile()
        except Exception as trouble:
            print(f"again in a moment: {trouble}", flush=True)
        time.sleep(2)


class Receiver(BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(200)

    def do_POST(self):
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with LOCK:
            for alert in message["alerts"]:
                if alert["labels"]["alertname"] in DRIFT:
                    FIRING.pop(alert["fingerprint"], None)
                    if alert["status"] == "firing":
                        FIRING[alert["fingerprint"]] = datetime.fromisoformat(alert["startsAt"])
        self.answer(200)

    def answer(self, status):
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *words):
        pass


if __name__ == "__main__":
    threading.Thread(target=loop, daemon=True).start()
    ThreadingHTTPServer(("", 8080), Receiver).serve_forever()
