# Is it restarted when it is not well?
kubectl rollout status deployment @{app} --timeout=90s
kubectl exec deployment/@{app} -- python3 -c '
import urllib.request as u
u.urlopen(u.Request("http://127.0.0.1:@{port}@{live}", method="DELETE"))'
until [ "$(kubectl get pods -o jsonpath='{.items[0].status.containerStatuses[0].restartCount}')" != 0 ]; do sleep 1; done
kubectl rollout status deployment @{app} --timeout=90s
