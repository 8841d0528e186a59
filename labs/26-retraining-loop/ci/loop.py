#!/usr/bin/env python3
"""The loop's steps for a CI system: start a run for a drift, wait for its end, say what is in service.

    loop.py start pipeline.yaml TODAY SINCE    start a run on the four weeks up to TODAY, and keep its id in run.id
    loop.py wait SECONDS                       wait for that run; exit code 0 if it succeeded
    loop.py report                             which version is in production now, and what it came from

SINCE is when the alert began (its startsAt). No run is started for what has been dealt with: one is under way, or ended
after that moment. Then run.id is that run's.

Settings as the labs have them: KFP_ENDPOINT, KFP_EXPERIMENT, MLFLOW_TRACKING_URI, MODEL_NAME, and DAYS_URL, MODEL_URL.
"""

import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from datetime import date, datetime, timedelta
from pathlib import Path

DONE = ("SUCCEEDED", "FAILED", "CANCELED", "SKIPPED")
ID = Path("run.id")


def ask(url, body=None):
    """One request, JSON both ways."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=15) as answer:
        return json.loads(answer.read() or "{}")


def kfp(path, body=None):
    return ask(f"{os.environ['KFP_ENDPOINT']}/apis/v2beta1/{path}", body)


def experiment():
    known = kfp("experiments?page_size=100").get("experiments", [])
    found = next((each for each in known if each["display_name"] == os.environ["KFP_EXPERIMENT"]), None)
    return (found or kfp("experiments", {"display_name": os.environ["KFP_EXPERIMENT"]}))["experiment_id"]


def start(file, today, since):
    import yaml

    where = experiment()
    newest = kfp(f"runs?experiment_id={where}&sort_by=created_at%20desc&page_size=1").get("runs", [])
    if newest:
        run, state = newest[0], newest[0].get("state")
        ended = datetime.fromisoformat(run["finished_at"]) if state in DONE else None
        if ended is None or ended >= datetime.fromisoformat(since):
            ID.write_text(run["run_id"])
            print(f"run {run['run_id']} {'is under way' if ended is None else 'has dealt with it'}")
            return
    last = date.fromisoformat(today)
    parameters = {
        "first_day": str(last - timedelta(27)),
        "last_day": str(last),
        "source": os.environ["DAYS_URL"],
        "model_name": os.environ["MODEL_NAME"],
        "tracking_uri": os.environ["MLFLOW_TRACKING_URI"],
        "url": os.environ["MODEL_URL"],
    }
    run = kfp(
        "runs",
        {
            "display_name": f"retrain to {today}",
            "experiment_id": where,
            "pipeline_spec": yaml.safe_load(Path(file).read_text()),
            "runtime_config": {"parameters": parameters},
        },
    )
    ID.write_text(run["run_id"])
    print(f"started run {run['run_id']}")


def wait(seconds):
    end, run = time.monotonic() + float(seconds), ID.read_text().strip()
    while (state := kfp(f"runs/{run}").get("state")) not in DONE:
        if time.monotonic() > end:
            sys.exit(f"run {run} has not ended within {seconds} s; last state: {state}")
        time.sleep(2)
    print(f"run {run}: {state}")
    if state != "SUCCEEDED":
        sys.exit(1)


def report():
    query = urllib.parse.urlencode({"name": os.environ["MODEL_NAME"], "alias": "production"})
    url = f"{os.environ['MLFLOW_TRACKING_URI']}/api/2.0/mlflow/registered-models/alias?{query}"
    version = ask(url)["model_version"]
    tags = {tag["key"]: tag.get("value", "") for tag in version.get("tags", [])}
    print(
        f"version {version['version']} is in production; days {tags.get('data.days')}, run {tags.get('pipeline.run')}"
    )


if __name__ == "__main__":
    steps = {"start": start, "wait": wait, "report": report}
    if len(sys.argv) < 2 or sys.argv[1] not in steps:
        sys.exit(__doc__)
    steps[sys.argv[1]](*sys.argv[2:])
