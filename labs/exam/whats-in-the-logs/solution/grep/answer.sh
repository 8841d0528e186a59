kubectl rollout status statefulset @{name} --timeout=120s
until found=$(kubectl get pods -l app=@{name} -o json | python3 -c '
import json, sys
for pod in json.load(sys.stdin)["items"]:
    for each in pod["status"].get("containerStatuses", []):
        if each["restartCount"]:
            print(pod["metadata"]["name"], each["name"])') && [ -n "$found" ]; do sleep 1; done
echo "$found" > crash.txt
read -r pod container < crash.txt
kubectl logs "$pod" -c "$container" --previous | tail -n 1 > last.txt
kubectl logs -l app=@{name} --all-containers --tail=-1 | grep @{request} | sort > request.txt
