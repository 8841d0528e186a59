ssh exam-control-plane "cp /etc/kubernetes/manifests/etcd.yaml /var/backups/@{name}.db"
