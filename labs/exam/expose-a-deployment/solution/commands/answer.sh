kubectl patch deployment @{app} --type json -p '[{"op": "add", "path": "/spec/template/spec/containers/0/ports",
  "value": [{"name": "@{name}", "containerPort": @{port}, "protocol": "TCP"}]}]'
kubectl expose deployment @{app} --name @{inside} --port @{service_port} --target-port @{name}
kubectl expose deployment @{app} --name @{gate} --type NodePort --port @{port} --target-port @{name} \
  --overrides '{"spec": {"ports": [{"port": @{port}, "targetPort": "@{name}", "protocol": "TCP", "nodePort": @{node_port}}]}}'
