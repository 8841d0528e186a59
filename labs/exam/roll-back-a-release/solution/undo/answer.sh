kubectl rollout undo deployment @{app} --to-revision=@{good}
kubectl rollout status deployment @{app} --timeout=60s
kubectl annotate deployment @{app} --overwrite kubernetes.io/change-cause='@{cause}'
kubectl patch deployment @{app} -p '{"spec": {"revisionHistoryLimit": @{keep}}}'
