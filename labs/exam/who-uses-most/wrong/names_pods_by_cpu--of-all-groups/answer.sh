printf '%s\n' @{by_cpu|join("-0 ")}-0 @{(names|reject("in", by_cpu)|first)}-0 > cpu.txt
echo "@{keeper}-0 store" > memory.txt
kubectl scale statefulset @{by_cpu[0]} --replicas=0
