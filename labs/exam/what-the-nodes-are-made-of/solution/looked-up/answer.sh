worker=$(ssh exam-worker hostname)
@% if network == "plugin" %@
ssh exam-worker 'ls /etc/cni/net.d/*' > network.txt
@% elif network == "pods" %@
kubectl get node "$worker" -o jsonpath='{.spec.podCIDR}{"\n"}' > network.txt
@% else %@
ssh exam-control-plane "sed -n 's/.*--service-cluster-ip-range=//p' /etc/kubernetes/manifests/kube-apiserver.yaml" > network.txt
@% endif %@
@% if runtime == "version" %@
kubectl get node "$worker" -o jsonpath='{.status.nodeInfo.containerRuntimeVersion}{"\n"}' > runtime.txt
@% elif runtime == "socket" %@
ssh exam-worker "sed -n 's/^containerRuntimeEndpoint: //p' /var/lib/kubelet/config.yaml" > runtime.txt
@% else %@
ssh exam-worker crictl ps --quiet --no-trunc --label io.kubernetes.pod.name=@{pod} --label io.kubernetes.pod.namespace=@{namespace} > runtime.txt
@% endif %@
@% if files == "logs" %@
ssh exam-worker 'ls -d /var/log/pods/@{namespace}_@{pod}_*' > files.txt
@% elif files == "static" %@
ssh exam-control-plane "sed -n 's/^staticPodPath: //p' /var/lib/kubelet/config.yaml" > files.txt
@% else %@
ssh exam-control-plane "sed -n 's/.*--tls-cert-file=//p' /etc/kubernetes/manifests/kube-apiserver.yaml" > files.txt
@% endif %@
