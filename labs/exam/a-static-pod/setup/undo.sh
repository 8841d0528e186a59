bash "$MEND/worker.sh"
ssh exam-control-plane "rm -f /etc/kubernetes/manifests/@{pod}.*"
