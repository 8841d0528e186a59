kubectl describe ingress @{app}
@% if fault == "class" %@
kubectl patch ingress @{app} --type merge -p '{"spec": {"ingressClassName": "traefik"}}'
@% else %@
@% set where = {"path": "path", "type": "pathType", "service": "backend/service/name", "port": "backend/service/port/number"} %@
@% set what = {"path": '"/"', "type": '"Prefix"', "service": '"' ~ app ~ '"', "port": port} %@
kubectl patch ingress @{app} --type json \
  -p '[{"op": "replace", "path": "/spec/rules/0/http/paths/0/@{where[fault]}", "value": @{what[fault]}}]'
@% endif %@
