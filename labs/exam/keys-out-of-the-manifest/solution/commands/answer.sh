kubectl create secret generic @{secret} --from-literal=@{key}=@{value}
kubectl create serviceaccount @{account}
kubectl create role @{account} --verb=get --resource=secrets --resource-name=@{secret}
kubectl create rolebinding @{account} --role=@{account} --serviceaccount=@{namespace}:@{account}
kubectl patch role @{role} --type=json --patch='[{"op": "replace", "path": "/rules/0/resources", "value": ["configmaps"]}]'
kubectl get deployment @{server} --output=json | python3 -c '
import json, sys
it = json.load(sys.stdin)
it["metadata"] = {"name": "@{server}"}
it["spec"]["template"]["spec"]["serviceAccountName"] = "@{account}"
it["spec"]["template"]["spec"].pop("serviceAccount", None)
reference = {"secretKeyRef": {"name": "@{secret}", "key": "@{key}"}}
it["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "@{variable}", "valueFrom": reference}]
json.dump(it, open("server.json", "w"))'
kubectl delete deployment @{server} --cascade=foreground
kubectl create -f server.json
kubectl rollout status deployment/@{server} --timeout=60s
