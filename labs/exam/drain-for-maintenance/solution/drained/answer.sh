kubectl drain "$(ssh exam-worker hostname)" --ignore-daemonsets --delete-emptydir-data --force --timeout=120s
kubectl rollout status deployment/@{app} --timeout=60s
