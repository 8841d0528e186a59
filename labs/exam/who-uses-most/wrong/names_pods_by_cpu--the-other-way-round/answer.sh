printf '%s\n' @{by_cpu|reverse|join("-0 ")}-0 > cpu.txt
echo "@{keeper}-0 store" > memory.txt
kubectl scale statefulset @{by_cpu[0]} --replicas=0
