#!/usr/bin/env bash
# The night before: what its maintenance has left of a cluster that was well. Each step may be done again.
set -euo pipefail
worker=$(ssh exam-worker hostname)
control=$(ssh exam-control-plane hostname)

if [ "$(kubectl get node "$worker" -o jsonpath='{.spec.unschedulable}')" != true ]; then # not yet begun
  kubectl rollout status deployment/board --timeout=120s
  kubectl rollout status deployment/retrain --timeout=60s
fi

kubectl label node "$worker" pool=servng --overwrite
kubectl taint node "$worker" maintenance=kernel:NoSchedule --overwrite
kubectl cordon "$worker"

# What ran on the worker was let onto the control plane.
kubectl patch node "$control" --type merge -p '{"spec": {"taints": null}}'
kubectl delete pod -l app=retrain --grace-period=1 --timeout=60s
kubectl rollout status deployment/retrain --timeout=60s

ssh exam-worker "systemctl --quiet disable --now kubelet; sed -i 's|/pki/ca.crt|/pki/ca.cert|' /var/lib/kubelet/config.yaml"
# What the node controller finds after 50 s of silence, now; and what it does five minutes later.
kubectl patch node "$worker" --subresource=status -p '{"status": {"conditions": [{"type": "Ready", "status": "Unknown",
  "reason": "NodeStatusUnknown", "message": "Kubelet stopped posting node status."}]}}'
kubectl delete pod -l app=board --field-selector "spec.nodeName=$worker" --force --grace-period=0
