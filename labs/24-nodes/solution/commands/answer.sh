worker=$(ssh exam-worker hostname)
control=$(ssh exam-control-plane hostname)

# The kubelet was stopped, would not be started with the machine, and its settings name a file that is not there.
ssh exam-worker "sed -i 's|/pki/ca.cert|/pki/ca.crt|' /var/lib/kubelet/config.yaml"
ssh exam-worker systemctl --quiet enable --now kubelet
kubectl wait --for=condition=Ready "node/$worker" --timeout=90s

# The worker was closed twice.
kubectl uncordon "$worker"
kubectl taint node "$worker" maintenance-

# The control plane was open, and what had gone there stays until it is made anew.
kubectl taint node "$control" node-role.kubernetes.io/control-plane:NoSchedule
kubectl rollout restart deployment/retrain

# A letter was missing.
kubectl label node "$worker" pool=serving --overwrite

# Two of two were to be ready always, so neither could go.
kubectl patch poddisruptionbudget board --type merge -p '{"spec": {"minAvailable": 1}}'

for name in retrain model board; do kubectl rollout status "deployment/$name" --timeout=120s; done
