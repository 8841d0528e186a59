# The volume after the pattern of one that is there.
kubectl get pv @{decoy} -o json |
  python3 -c '
import json, sys
it = json.load(sys.stdin)
it["metadata"] = {"name": "@{volume}", "labels": {"@{key}": "@{value}"}}
it["spec"]["capacity"]["storage"] = "@{size}Mi"
del it["status"]
print(json.dumps(it))' | kubectl create -f -
kubectl create -f - <<EOF
{"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "@{claim}"},
 "spec": {"storageClassName": "@{kind}", "accessModes": ["ReadOnlyMany"],
          "selector": {"matchExpressions": [{"key": "@{key}", "operator": "In", "values": ["@{value}"]}]},
          "resources": {"requests": {"storage": "@{asked}Mi"}}}}
EOF
