kubectl apply -k overlay
