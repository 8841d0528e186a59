ssh exam-control-plane "mkdir -p /var/backups; rm -rf /var/backups/@{name}.* /var/lib/@{name}"
