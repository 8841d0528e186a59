printf '%s\n' @{by_cpu|join("-0 ")}-0 > cpu.txt
echo "@{keeper}-0 store" > memory.txt
kubectl scale statefulset @{by_cpu[1]} --replicas=0
