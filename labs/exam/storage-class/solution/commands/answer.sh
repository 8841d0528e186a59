kubectl get storageclass standard -o json |
  python3 -c '
import json, sys
it = json.load(sys.stdin)
it["metadata"] = {"name": "@{storage_class}"}
it["reclaimPolicy"] = "Retain"
print(json.dumps(it))' | kubectl create -f -
kubectl create -f - <<EOF
{"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "@{claim}"},
 "spec": {"storageClassName": "@{storage_class}", "accessModes": ["ReadWriteOnce"],
          "resources": {"requests": {"storage": "@{size}Mi"}}}}
EOF
