@% if fault == "label" %@
kubectl label nodes --all @{label}=yes
kubectl rollout status deployment @{name} --timeout=60s
kubectl label nodes --all @{label}-
@% else %@
kubectl rollout restart deployment @{name}
@% endif %@
