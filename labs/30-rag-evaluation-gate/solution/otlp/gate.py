"""The gate with FastAPI: asks four questions at a time, and sends its traces by OpenTelemetry's own protocol."""

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor

import requests
from checks import find_reasons, numbers, usable
from fastapi import FastAPI
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

SERVER = os.environ["MLFLOW_TRACKING_URI"].rstrip("/")
API = f"{SERVER}/api/2.0/mlflow"
AT_ONCE = 4


def call(method, path, **more):
    answer = requests.request(method, f"{API}/{path}", timeout=20, **more)
    answer.raise_for_status()
    return answer.json()


def experiment():
    """The id of the lab's experiment, which is made if need be."""
    name = os.environ["MLFLOW_EXPERIMENT_NAME"]
    found = requests.get(f"{API}/experiments/get-by-name", params={"experiment_name": name}, timeout=20)
    if found.status_code == 404:
        return call("POST", "experiments/create", json={"name": name})["experiment_id"]
    return found.json()["experiment"]["experiment_id"]


EXPERIMENT = experiment()
provider = TracerProvider()
provider.add_span_processor(
    BatchSpanProcessor(
        OTLPSpanExporter(f"{SERVER}/v1/traces", headers={"x-mlflow-experiment-id": EXPERIMENT}),
        max_queue_size=8192,
    )
)
tracer = provider.get_tracer("gate")
app = FastAPI(title="gate")


def put(session, base, text):
    """A question: the answer, or None, and seconds."""
    start = time.perf_counter()
    try:
        reply = session.post(f"{base}/ask", json={"question": text}, timeout=5, allow_redirects=False)
        said = reply.json() if reply.status_code == 200 else None
    except (requests.RequestException, ValueError):
        said = None
    took = time.perf_counter() - start
    return (said if usable(said) and took <= 5 else None), took


def observed(session, release, base, text):
    """As `put`, in a span of its own."""
    with tracer.start_as_current_span("question") as root:
        root.set_attribute("release", release)
        root.set_attribute("mlflow.spanInputs", json.dumps({"question": text}))
        said, took = put(session, base, text)
        if said:
            with tracer.start_as_current_span("retrieve") as span:
                span.set_attribute("mlflow.spanType", "RETRIEVER")
                span.set_attribute("mlflow.spanOutputs", json.dumps([each["id"] for each in said["retrieved"]]))
            root.set_attribute("mlflow.spanOutputs", json.dumps(said["answer"]))
        return said, took


def record(release, reasons, metrics):
    """A run for the decision."""
    now = int(time.time() * 1000)
    tags = {"release": release, "accept": "false" if reasons else "true", "reasons": " ".join(reasons)}
    made = call(
        "POST",
        "runs/create",
        json={
            "experiment_id": EXPERIMENT,
            "start_time": now,
            "run_name": release,
            "tags": [{"key": key, "value": value} for key, value in tags.items()],
        },
    )
    run = made["run"]["info"]["run_id"]
    values = [{"key": key, "value": value, "timestamp": now, "step": 0} for key, value in metrics.items()]
    call("POST", "runs/log-batch", json={"run_id": run, "metrics": values})
    call("POST", "runs/update", json={"run_id": run, "status": "FINISHED", "end_time": now})


@app.get("/")
def ready():
    return {"status": "ready"}


@app.post("/releases")
def releases(body: dict):
    """Is the release good enough?"""
    asked = [each["question"] for each in body["questions"]]
    with requests.Session() as session, ThreadPoolExecutor(AT_ONCE) as pool:
        new = list(pool.map(lambda text: observed(session, body["release"], body["candidate"], text), asked))
        old = list(pool.map(lambda text: put(session, body["in_service"], text), asked))
    metrics = {}
    if all(said for said, _ in new):
        metrics = numbers(body["questions"], [said for said, _ in new])
        reasons = find_reasons(body, metrics, numbers(body["questions"], [said for said, _ in old]), new)
    else:
        reasons = ["errors"]
    provider.force_flush()
    record(body["release"], reasons, metrics)
    return {"accept": not reasons, "reasons": reasons}
