kubectl --namespace=mlops-lab-pipelines port-forward service/ml-pipeline :8888 >forwarded &
trap "kill $!" EXIT
until grep -q '^Forwarding from 127' forwarded; do sleep 0.2; done
endpoint=http://$(sed -n 's/^Forwarding from \(127[0-9.:]*\) .*/\1/p' forwarded)
./retrain.py
kfp --endpoint "$endpoint" pipeline create --pipeline-name @{namespace}-@{pipeline} retrain.yaml
python3 - "$endpoint/apis/v2beta1" <<EOF
import json
import sys
import time
import urllib.request


def ask(path, body=None):
    data, headers = body and json.dumps(body).encode(), {"Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(f"{sys.argv[1]}/{path}", data, headers)) as answer:
        return json.load(answer)


named = {each["display_name"]: each["pipeline_id"] for each in ask("pipelines?page_size=200")["pipelines"]}
experiment = ask("experiments", {"display_name": "@{namespace}"})["experiment_id"]
common = {
    "experiment_id": experiment,
    "pipeline_version_reference": {"pipeline_id": named["@{namespace}-@{pipeline}"]},
}
ask("recurringruns", common | {
    "display_name": "@{schedule}", "mode": "ENABLE", "max_concurrency": "1", "no_catchup": True,
    "trigger": {"cron_schedule": {"cron": "0 @{minute} @{hour} */1 1/1 *"}},
    "runtime_config": {"parameters": {"days": @{days}, "trees": @{trees}}},
})
config = {"parameters": {"days": @{days}, "trees": @{more}}}
run = ask("runs", common | {"display_name": "now", "runtime_config": config})["run_id"]
while (state := ask(f"runs/{run}").get("state")) not in ("SUCCEEDED", "FAILED"):
    time.sleep(1)
print(state)
EOF
