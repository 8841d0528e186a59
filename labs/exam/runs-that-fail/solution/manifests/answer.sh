kubectl create job @{name}-again --from=cronjob/@{name}
kubectl wait job @{name}-again --for=condition=Complete --timeout=120s
