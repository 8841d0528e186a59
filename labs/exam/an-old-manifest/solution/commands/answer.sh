sed -e 's|extensions/v1beta1|apps/v1|' -e 's|batch/v1beta1|batch/v1|' -e 's|policy/v1beta1|policy/v1|' \
  -e 's|networking.k8s.io/v1beta1|networking.k8s.io/v1|' -e '/^apiVersion: autoscaling/,/^---/d' \
  -e 's|backend: .*|backend: {service: {name: @{app}, port: {number: 80}}}|' \
  -e 's|^  replicas: 2|&\n  selector: {matchLabels: {app: @{app}, team: @{team}}}|' manifests/old.yaml | kubectl apply -f -
kubectl autoscale deployment @{app} --min 2 --max @{most} --cpu @{goal}%
