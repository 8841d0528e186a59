ssh exam-control-plane bash -euo pipefail -s <<'END'
pki=/etc/kubernetes/pki/etcd
etcdctl --endpoints=https://127.0.0.1:2379 --cacert=$pki/ca.crt --cert=$pki/server.crt --key=$pki/server.key \
  snapshot save /var/backups/@{name}.db
etcdutl snapshot status /var/backups/@{name}.db -w json > /var/backups/@{name}.json
etcdutl snapshot restore /var/backups/@{name}.db --data-dir /var/lib/@{name}
END
