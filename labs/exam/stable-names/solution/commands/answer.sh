kubectl expose pod @{members}-0 --name @{group} --cluster-ip None --selector app=@{members} --port @{port}
kubectl patch service @{group} --type merge -p '{"spec": {"publishNotReadyAddresses": true}}'
kubectl create service clusterip @{clients} --tcp @{client_port}:@{port}
kubectl set selector service @{clients} app=@{members}
