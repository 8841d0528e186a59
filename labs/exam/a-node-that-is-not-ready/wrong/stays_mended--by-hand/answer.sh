worker=$(ssh exam-worker hostname)
ssh exam-worker systemctl --quiet disable --now kubelet
@% if fault == "runtime" %@
ssh exam-worker systemctl --quiet enable --now containerd
@% elif fault == "server" %@
ssh exam-worker "sed -i 's|:@{port}|:6443|' /etc/kubernetes/kubelet.conf"
@% endif %@
ssh exam-worker "systemd-run --quiet --collect --unit=by-hand --slice=kubelet.slice bash -c \
  '. /var/lib/kubelet/kubeadm-flags.env; exec kubelet --kubeconfig=/etc/kubernetes/kubelet.conf \
  --config=/var/lib/kubelet/config.yaml \$KUBELET_KUBEADM_ARGS'"
kubectl wait --for=condition=Ready "node/$worker" --timeout=60s
