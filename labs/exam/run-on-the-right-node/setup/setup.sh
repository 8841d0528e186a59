# The two workers get a value of the label each; which one has the wanted value is drawn.
set -- $(kubectl get nodes -l '!node-role.kubernetes.io/control-plane' -o name | head -n 2)
@% if first %@
kubectl label "$1" @{key}=@{value}
kubectl label "$2" @{key}=@{other}
@% else %@
kubectl label "$1" @{key}=@{other}
kubectl label "$2" @{key}=@{value}
@% endif %@
