kubectl delete deployment @{app} --ignore-not-found
