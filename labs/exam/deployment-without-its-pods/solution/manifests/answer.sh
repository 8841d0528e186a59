# A field that is left out of a manifest goes only where the whole object is replaced.
kubectl replace -f deployment.json
