kubectl patch deployment @{fixed} -p '{"spec": {"template": {"spec": {"nodeSelector": {"@{key}": "@{value}"}}}}}'
kubectl rollout status deployment @{fixed} --timeout=60s
kubectl patch deployment @{shy} -p '{"spec": {"template": {"spec": {"affinity": {"podAntiAffinity": {
  "requiredDuringSchedulingIgnoredDuringExecution": [{
    "topologyKey": "kubernetes.io/hostname",
    "labelSelector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["@{fixed}"]}]}}]}}}}}}'
