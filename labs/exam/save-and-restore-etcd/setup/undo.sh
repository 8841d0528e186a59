ssh exam-control-plane "rm -rf /var/backups/@{name}.* /var/lib/@{name} /tmp/@{name}*"
