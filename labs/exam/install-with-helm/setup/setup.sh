helm install @{old} chart --set-string message='@{old_message}' --set replicas=2
helm upgrade @{old} chart --reuse-values \
@% if fault == "image" %@
  --set image.tag=v@{wrong}
@% else %@
  --set readyPath=/ready-@{wrong}
@% endif %@
