@% if fault == "memory" %@
kubectl set resources deployment @{name} --requests=memory=@{memory}Mi
@% elif fault == "label" %@
kubectl patch deployment @{name} -p '{"spec": {"template": {"spec": {"nodeSelector": null}}}}'
@% else %@
kubectl set resources deployment @{name} --requests=cpu=@{cpu}m
@% endif %@
kubectl rollout status deployment @{name} --timeout=60s
