kubectl create clusterrole @{team} --aggregation-rule @{label}/part-of=@{team}
kubectl label clusterrole @{one} @{label}/part-of=@{team}
kubectl label clusterrole @{two} @{label}/part-of=@{team}
kubectl create rolebinding team --clusterrole @{team} --user @{user}
kubectl create clusterrole @{viewer} --verb get,list --resource nodes,persistentvolumes
kubectl create clusterrolebinding @{viewer} --clusterrole @{viewer} --group @{group}
