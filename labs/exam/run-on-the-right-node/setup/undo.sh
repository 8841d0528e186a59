kubectl label nodes --all @{key}-
# A taint that was made of the label.
for node in $(kubectl get nodes --output=jsonpath='{.items[*].metadata.name}'); do
  taints=$(kubectl get node "$node" --output=jsonpath='{.spec.taints[*].key}')
  case " $taints " in *" @{key} "*) kubectl taint nodes "$node" @{key}- ;; esac
done
