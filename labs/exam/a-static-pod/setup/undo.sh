bash "$MEND/worker.sh"
ssh exam-control-plane "grep -rlw @{pod} /etc/kubernetes/manifests | xargs --no-run-if-empty rm -f"
