worker=$(ssh exam-worker hostname)
ssh exam-worker "cat > /etc/kubernetes/manifests/@{pod}.yaml" < manifest/pod.yaml
until kubectl get pod "@{pod}-$worker" >/dev/null 2>&1; do sleep 0.5; done
kubectl wait --for=condition=Ready "pod/@{pod}-$worker" --timeout=60s
