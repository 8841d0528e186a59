volume=$(kubectl get pv --no-headers | awk '$5 == "Released" && $4 == "Retain" && $6 == "@{namespace}/@{lost}" {print $1}')
kubectl patch pv "$volume" --type json -p '[{"op": "remove", "path": "/spec/claimRef"}]'
kubectl create -f - <<EOF
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: @{claim}
spec:
  volumeName: $volume
  accessModes: [ReadWriteOnce]
  resources:
    requests: {storage: @{size}Mi}
EOF
kubectl scale deployment @{app} --replicas=1
