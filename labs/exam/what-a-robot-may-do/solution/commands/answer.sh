kubectl create serviceaccount @{robot}
kubectl create role see-pods --verb get,list,watch --resource pods
kubectl create role read-logs --verb get --resource pods/log
kubectl create role release --verb get,patch --resource deployments.apps --resource-name @{app}
kubectl create role scale --verb get,@{scales} --resource deployments.apps/scale --resource-name @{app}
kubectl create role read-item --verb get --resource @{resource} --resource-name @{item}
space=$(kubectl config view --minify -o jsonpath='{..namespace}')
for role in see-pods read-logs release scale read-item; do
  kubectl create rolebinding "$role" --role "$role" --serviceaccount "$space:@{robot}"
done
kubectl set serviceaccount deployment @{runner} @{robot}
