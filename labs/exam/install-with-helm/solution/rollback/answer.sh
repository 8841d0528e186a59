helm rollback @{old} 1
helm install @{new} chart --set replicas=@{first} --set-string message='@{message}'
helm upgrade @{new} chart --reuse-values --set replicas=@{then}
