# A pipeline that has versions is not deleted before they are, and what starts it goes first.
log=$(mktemp)
kubectl --namespace=mlops-lab-pipelines port-forward service/ml-pipeline :8888 >"$log" &
trap 'kill $!; rm "$log"' EXIT
until grep -q '^Forwarding from 127' "$log"; do kill -0 $!; sleep 0.2; done
python3 - "$(sed -n 's/^Forwarding from \(127[0-9.:]*\) .*/\1/p' "$log")" <<EOF
import json
import sys
import urllib.request


def ask(path, method="GET"):
    url = f"http://{sys.argv[1]}/apis/v2beta1/{path}"
    with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=30) as answer:
        return json.loads(answer.read() or b"{}")


mine = [
    each["pipeline_id"] for each in ask("pipelines?page_size=200").get("pipelines", [])
    if each["display_name"].startswith("@{namespace}-")
]
for each in ask("recurringruns?page_size=200").get("recurringRuns", []):
    if each.get("pipeline_version_reference", {}).get("pipeline_id") in mine:
        ask(f"recurringruns/{each['recurring_run_id']}", "DELETE")
for pipeline in mine:
    for each in ask(f"pipelines/{pipeline}/versions?page_size=200").get("pipeline_versions", []):
        ask(f"pipelines/{pipeline}/versions/{each['pipeline_version_id']}", "DELETE")
    ask(f"pipelines/{pipeline}", "DELETE")
EOF
