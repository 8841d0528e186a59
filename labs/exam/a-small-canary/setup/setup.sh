kubectl rollout status deployment/@{app}-stable --timeout 90s
