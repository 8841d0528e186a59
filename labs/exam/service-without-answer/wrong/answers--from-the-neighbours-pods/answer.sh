kubectl patch service @{service} \
  -p '{"spec": {"selector": {"app": "@{neighbour}", "tier": "back"}, "ports": [{"port": @{port}, "targetPort": @{target}}]}}'
