printf '%s\n' @{by_cpu|join("-0 ")}-0 > cpu.txt
echo "@{keeper}-0 store" > memory.txt
kubectl scale statefulset @{by_cpu|join(" ")} --replicas=0
