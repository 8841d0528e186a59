kubectl exec deploy/@{client} -- cat /etc/resolv.conf || true
@% if fault == "server" %@
kubectl patch deployment @{client} -p '{"spec": {"template": {"spec": {"dnsPolicy": "ClusterFirst", "dnsConfig": null}}}}'
@% elif fault == "name" %@
kubectl set env deployment @{client} URL=http://@{store}:8080/pod
@% else %@
kubectl patch service @{store} -p '{"spec": {"selector": {"app": "@{store}"}}}'
@% endif %@
kubectl rollout status deployment @{client} --timeout=120s
