kubectl label nodes --all @{key}-
# A taint that was made of the label; where there is none, kubectl says so.
for node in $(kubectl get nodes --output=name); do
  kubectl taint "$node" @{key}- || true
done
