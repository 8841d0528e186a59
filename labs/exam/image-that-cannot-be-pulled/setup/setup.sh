kubectl rollout status deployment @{name} --timeout=110s
until kubectl logs caller | grep -q asked=; do sleep 0.5; done
image=$(kubectl get deployment @{name} -o jsonpath='{.spec.template.spec.containers[0].image}')
registry=${image%/flight-delay:v1}
kubectl set image deployment @{name} @{right}="$registry/flight-delay:v2" @{wrong}=@{
  {"tag": '"$registry/flight-delay:v2.0"', "name": '"$registry/flight-delays:v2"',
   "registry": "localhost:5000/flight-delay:v2"}[fault]}
