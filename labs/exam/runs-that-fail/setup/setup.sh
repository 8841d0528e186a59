kubectl create job @{name}-by-hand --from=cronjob/@{name}
