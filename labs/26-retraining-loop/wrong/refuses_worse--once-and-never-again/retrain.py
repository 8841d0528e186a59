"""Alertmanager posts here; a run of the pipeline is started.

What is posted: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
What Kubeflow Pipelines answers: https://www.kubeflow.org/docs/components/pipelines/reference/api/kubeflow-pipeline-api-spec/
"""

import json
import os
import urllib.request
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import yaml

NAMESPACE, EXPERIMENT = os.environ["LAB_NAMESPACE"], os.environ["KFP_EXPERIMENT"]
DAYS = f"http://days.{NAMESPACE}"  # the warehouse: GET /today, GET /2013-02-21.csv.gz
PIPELINE = yaml.safe_load(Path("/compiled/pipeline.yaml").read_text())


def ask(url, body=None):
    """One request, JSON both ways."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.loads(answer.read() or "{}")


def kfp(path, body=None):
    return ask(f"{os.environ['KFP_ENDPOINT']}/apis/v2beta1/{path}", body)


def experiment():
    """The id of this lab's experiment; made if there is none."""
    known = kfp("experiments?page_size=100").get("experiments", [])
    found = next((each for each in known if each["display_name"] == EXPERIMENT), None)
    return (found or kfp("experiments", {"display_name": EXPERIMENT}))["experiment_id"]


def start(first_day, last_day, fingerprint):
    """Start a run on these days."""
    parameters = {
        "first_day": first_day,
        "last_day": last_day,
        "source": DAYS,
        "model_name": os.environ["MODEL_NAME"],
        "tracking_uri": os.environ["MLFLOW_TRACKING_URI"],
        "url": f"http://model.{NAMESPACE}",
    }
    run = kfp(
        "runs",
        {
            "display_name": f"retrain for {fingerprint}",
            "experiment_id": experiment(),
            "pipeline_spec": PIPELINE,
            "runtime_config": {"parameters": parameters},
        },
    )
    print(f"started run {run['run_id']}: {first_day} to {last_day}", flush=True)


def dealt_with(fingerprint):
    """Is there a run for this alert?"""
    query = f"runs?experiment_id={experiment()}&page_size=100"
    return any(fingerprint in run["display_name"] for run in kfp(query).get("runs", []))


def told(message):
    """What to do about a message of Alertmanager's."""
    firing = [
        alert["fingerprint"]
        for alert in message["alerts"]
        if alert["status"] == "firing" and alert["labels"]["alertname"] in ("FeatureDrift", "PredictionDrift")
    ]
    if not firing or dealt_with(min(firing)):
        return
    today = date.fromisoformat(ask(f"{DAYS}/today")["today"])
    start(str(today - timedelta(27)), str(today), min(firing))


class Receiver(BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(200)

    def do_POST(self):
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        print(json.dumps(message), flush=True)
        told(message)  # what goes wrong in it closes the connection, and Alertmanager tells us again
        self.answer(200)

    def answer(self, status):
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *words):
        pass


if __name__ == "__main__":
    HTTPServer(("", 8080), Receiver).serve_forever()  # one message at a time: two can't both find that nothing runs
