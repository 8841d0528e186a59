worker=$(ssh exam-worker hostname)
ssh exam-worker journalctl -u kubelet -n 5 --no-pager
@% if fault == "stopped" %@
ssh exam-worker systemctl enable --now kubelet
@% elif fault == "path" %@
ssh exam-worker "sed -i 's|@{word}.yaml|config.yaml|' /etc/systemd/system/kubelet.service.d/10-kubeadm.conf"
ssh exam-worker "systemctl daemon-reload; systemctl restart kubelet"
@% elif fault == "runtime" %@
ssh exam-worker systemctl enable --now containerd
@% else %@
ssh exam-worker "sed -i 's|:@{port}|:6443|' /etc/kubernetes/kubelet.conf; systemctl restart kubelet"
@% endif %@
kubectl wait --for=condition=Ready "node/$worker" --timeout=60s
