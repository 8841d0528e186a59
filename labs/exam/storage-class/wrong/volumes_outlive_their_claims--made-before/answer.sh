kubectl wait pvc @{claim} --for=jsonpath='{.status.phase}'=Bound --timeout=90s
kubectl get storageclass @{storage_class} -o json |
  python3 -c '
import json, sys
it = json.load(sys.stdin)
it["metadata"] = {"name": "@{storage_class}"}
it["reclaimPolicy"] = "Retain"
print(json.dumps(it))' >class.json
kubectl delete storageclass @{storage_class}
kubectl create -f class.json
