kubectl create job @{name}-again --from=cronjob/@{name}
kubectl wait job @{name}-again --for=condition=Complete --timeout=60s
