kubectl create priorityclass @{high} --value=@{high_value} --preemption-policy=PreemptLowerPriority
kubectl create priorityclass @{polite} --value=@{polite_value} --preemption-policy=Never
for pair in @{urgent}=@{high} @{report}=@{polite}; do
  kubectl get deployment "${pair%=*}" -o json |
    python3 -c '
import json, sys
it = json.load(sys.stdin)
it["spec"]["template"]["spec"]["priorityClassName"] = sys.argv[1]
print(json.dumps(it))' "${pair#*=}" | kubectl replace -f -
done
