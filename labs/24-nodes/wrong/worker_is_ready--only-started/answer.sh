ssh exam-worker systemctl --quiet enable --now kubelet
