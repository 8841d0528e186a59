# The cluster's etcd may have been told to take the restored data.
bash "$MEND/control-plane.sh" etcd
ssh exam-control-plane "rm -rf /var/backups/@{name}.* /var/lib/@{name} /tmp/@{name}*"
