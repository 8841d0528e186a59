kubectl wait --for condition=Ready pod/@{desk} --timeout 90s
