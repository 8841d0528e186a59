@% if fault == "selector" %@
kubectl label pods -l app=@{service} tier=front --overwrite
@% else %@
for pod in $(kubectl get pods -l app=@{service} -o name); do
  kubectl wait "$pod" --for=jsonpath='{.status.phase}'=Running --timeout=60s
@% if fault == "port" %@
  kubectl exec "$pod" -- sh -c 'until cd /tmp/www; do sleep 0.2; done; nohup python3 -m http.server @{wrong_target} > /tmp/log 2>&1 &'
@% elif fault == "readiness" %@
  kubectl exec "$pod" -- sh -c 'until touch /tmp/www/healthy; do sleep 0.2; done'
@% else %@
  kubectl exec "$pod" -- sh -c \
    'until cd /tmp/www; do sleep 0.2; done; nohup python3 -m http.server @{target} --bind "$(hostname -i)" > /tmp/log 2>&1 &'
@% endif %@
done
@% endif %@
