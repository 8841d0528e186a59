until [ "$(kubectl top pod --containers --no-headers 2> /dev/null | wc -l)" = 8 ]; do sleep 2; done
kubectl top pod -l group=@{group} --sort-by=cpu --no-headers | cut -d ' ' -f 1 > cpu.txt
kubectl top pod --containers --sort-by=memory --no-headers | sed -n '1s/  */ /gp' | cut -d ' ' -f 1,2 > memory.txt
kubectl scale statefulset "$(head -n 1 cpu.txt | sed 's/-0$//')" --replicas=0
