kubectl wait --for condition=Established --timeout 30s crd/@{plural}.@{group}
kubectl create -f - <<MANIFEST
apiVersion: @{group}/v1
kind: @{kind}
metadata:
  name: @{first}
spec:
  @{number}: @{value}
  @{choice}: @{two}
MANIFEST
