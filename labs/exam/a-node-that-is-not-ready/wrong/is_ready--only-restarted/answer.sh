@% if fault == "stopped" %@
ssh exam-worker systemctl restart containerd
@% else %@
ssh exam-worker systemctl --no-block restart kubelet
@% endif %@
