kubectl delete secret -n kube-system --field-selector type=bootstrap.kubernetes.io/token
bash "$MEND/worker.sh"
