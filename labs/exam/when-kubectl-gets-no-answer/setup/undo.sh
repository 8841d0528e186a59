bash "$MEND/control-plane.sh"
ssh exam-control-plane "rm -f /etc/kubernetes/pki/@{word}.*"
