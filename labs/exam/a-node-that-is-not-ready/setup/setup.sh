kubectl rollout status deployment/@{app} --timeout=60s
worker=$(ssh exam-worker hostname)
@% if fault == "stopped" %@
ssh exam-worker systemctl --quiet disable --now kubelet
@% elif fault == "path" %@
ssh exam-worker "sed -i 's|config=/var/lib/kubelet/config.yaml|config=/var/lib/kubelet/@{word}.yaml|' \
  /etc/systemd/system/kubelet.service.d/10-kubeadm.conf; systemctl daemon-reload; systemctl restart kubelet"
@% elif fault == "runtime" %@
# A kubelet that runs notices it after half a minute; one that begins, at once.
ssh exam-worker "systemctl stop kubelet; systemctl --quiet disable --now containerd; systemctl --no-block start kubelet"
@% else %@
ssh exam-worker "sed -i 's|:6443|:@{port}|' /etc/kubernetes/kubelet.conf; systemctl restart kubelet"
@% endif %@
# What the node controller finds after 50 s of silence, now.
kubectl patch node "$worker" --subresource=status -p '{"status": {"conditions": [{"type": "Ready", "status": "Unknown",
  "reason": "NodeStatusUnknown", "message": "Kubelet stopped posting node status."}]}}'
