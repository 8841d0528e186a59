# A definition by another name than the one that was wanted goes as well.
kubectl get crd -o jsonpath='{range .items[?(@.spec.group=="@{group}")]}{.metadata.name}{"\n"}{end}' |
  while read -r name; do
    kubectl delete crd "$name" --ignore-not-found
  done
