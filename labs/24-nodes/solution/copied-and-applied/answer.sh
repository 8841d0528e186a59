worker=$(ssh exam-worker hostname)
control=$(ssh exam-control-plane hostname)

# Both machines' kubelets have the same settings.
ssh exam-control-plane cat /var/lib/kubelet/config.yaml | ssh exam-worker "cat >/var/lib/kubelet/config.yaml"
ssh exam-worker "systemctl --quiet enable kubelet; systemctl restart kubelet"
kubectl wait --for=condition=Ready "node/$worker" --timeout=90s

# Each node as it should be, in one piece.
kubectl patch node "$worker" --type merge \
  -p '{"metadata": {"labels": {"pool": "serving"}}, "spec": {"unschedulable": null, "taints": null}}'
kubectl patch node "$control" --type merge \
  -p '{"spec": {"taints": [{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]}}'

for name in retrain model board; do kubectl rollout status "deployment/$name" --timeout=120s; done
