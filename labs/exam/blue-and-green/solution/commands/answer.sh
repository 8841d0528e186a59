kubectl get deployment @{app}-@{old} -o yaml |
  sed -e 's/: @{old}$/: @{new}/' -e 's/@{app}-@{old}/@{app}-@{new}/' -e 's/: @{before}$/: @{release}/' \
    -e '/resourceVersion:/d' -e '/uid:/d' > copy.txt
kubectl create -f copy.txt
kubectl rollout status deployment @{app}-@{new} --timeout 60s
kubectl set selector service @{app} app=@{app},color=@{new}
