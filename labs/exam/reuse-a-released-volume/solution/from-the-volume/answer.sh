volume=$(kubectl get pv --no-headers | awk '$5 == "Released" && $4 == "Retain" && $6 == "@{namespace}/@{lost}" {print $1}')
kubectl patch pv "$volume" --type merge \
  -p '{"spec": {"claimRef": {"name": "@{claim}", "uid": null, "resourceVersion": null}}}'
kubectl scale deployment @{app} --replicas=1
