"""Alertmanager posts here; a run of the pipeline is started.

What is posted: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
What Kubeflow Pipelines answers: https://www.kubeflow.org/docs/components/pipelines/reference/api/kubeflow-pipeline-api-spec/
"""

import json
import os
import urllib.request
from datetime import UTC, date, datetime, timedelta
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


def start(first_day, last_day):
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
            "display_name": f"retrain {first_day} to {last_day}",
            "experiment_id": experiment(),
            "pipeline_spec": PIPELINE,
            "runtime_config": {"parameters": parameters},
        },
    )
    print(f"started run {run['run_id']}: {first_day} to {last_day}", flush=True)


LAST = [datetime.min.replace(tzinfo=UTC)]  # when a drift was last dealt with


def dealt_with(began):
    """Is a drift that began then the business of a run that goes on, or that we started?"""
    query = f"runs?experiment_id={experiment()}&sort_by=created_at%20desc&page_size=1"
    busy = any(
        run.get("state") not in ("SUCCEEDED", "FAILED", "CANCELED", "SKIPPED") for run in kfp(query).get("runs", [])
    )
    known = busy or began <= LAST[0]
    if busy or not known:
        LAST[0] = datetime.now(UTC)
    return known


def told(message):
    """What to do about a message of Alertmanager's."""
    firing = [
        datetime.fromisoformat(alert["startsAt"])
        for alert in message["alerts"]
        if alert["status"] == "firing" and alert["labels"]["alertname"] in ("FeatureDrift", "PredictionDrift")
    ]
    if not firing or dealt_with(max(firing)):
        return
    today = date.fromisoformat(ask(f"{DAYS}/today")["today"])
    start(str(today - timedelta(27)), str(today))


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
