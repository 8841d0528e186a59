ssh exam-control-plane cp /var/lib/etcd/member/snap/db /var/backups/@{name}.db
