ssh exam-control-plane "cat > /etc/kubernetes/manifests/@{pod}.yaml" < manifest/pod.yaml
