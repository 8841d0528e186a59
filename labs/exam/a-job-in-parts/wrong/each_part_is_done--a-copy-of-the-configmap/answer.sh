kubectl get configmap @{program} -o jsonpath='{.data.part\.py}' > part.py
kubectl create configmap @{program}-copy --from-file=part.py
