kubectl wait --for=condition=Ready pod/@{pod} --timeout=60s
