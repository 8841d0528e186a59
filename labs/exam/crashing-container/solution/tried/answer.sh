kubectl rollout status deployment @{name} --timeout=120s
# Whoever tries the probe twice has the kubelet wait before it starts the container the next time.
pod=$(kubectl get pods -l app=@{name} --sort-by=.metadata.creationTimestamp -o name | tail -n 1)
for times in 1 2; do
  kubectl exec "$pod" -- touch /tmp/hung
  kubectl wait "$pod" --for=jsonpath='{.status.containerStatuses[0].restartCount}'=$times --timeout=60s
  kubectl wait "$pod" --for=condition=Ready --timeout=30s
done
