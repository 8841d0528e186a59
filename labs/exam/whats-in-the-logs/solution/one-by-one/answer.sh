kubectl rollout status statefulset @{name} --timeout=120s
until kubectl logs @{pod} @{container} --previous > before; do sleep 1; done
for pod in @{name}-0 @{name}-1 @{name}-2; do
  for container in @{containers[0]} @{containers[1]}; do
    kubectl logs "$pod" "$container" | grep @{request} >> found || true
  done
done
sort found > request.txt
printf '%s\n' "@{pod} @{container}" > crash.txt
tail -n 1 before > last.txt
