kubectl scale deployment @{web} --replicas=2
