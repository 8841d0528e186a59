@% if fault == "command" %@
kubectl get configmap @{name}-program -o jsonpath='{.data.server\.py}' > program.txt
kubectl create configmap @{name}-program --from-file=server.py=program.txt --from-file=serve.py=program.txt \
  --dry-run=client -o yaml | kubectl replace -f -
@% elif fault == "key" %@
kubectl patch configmap @{name}-words -p '{"data": {"@{other_key}": "@{words}"}}'
@% else %@
kubectl get configmap @{name}-program -o yaml |
@% if fault == "memory" %@
  sed 's/@{stock} << 20/1 << 20/' |
@% else %@
  sed 's/"0.0.0.0", @{port}/"0.0.0.0", @{other_port}/' |
@% endif %@
  kubectl replace -f -
@% endif %@
kubectl rollout restart deployment @{name}
