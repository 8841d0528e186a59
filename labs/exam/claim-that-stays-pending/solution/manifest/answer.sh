kubectl delete pvc @{claim}
kubectl create -f mended/claim.yaml
