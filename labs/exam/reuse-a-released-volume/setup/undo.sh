# The provisioner deletes a Released volume with its folder on the node, once its policy is Delete. One that nobody has
# claimed is made Released by the UID of a claim that there is none of.
kubectl get pv -o jsonpath='{range .items[*]}{.metadata.name} {.status.phase} {.spec.hostPath.path}{.spec.local.path}{"\n"}{end}' |
  while read -r volume phase path; do
    case $path in
      *"_@{namespace}_"*)
        kubectl patch pv "$volume" --type merge -p '{"spec": {"persistentVolumeReclaimPolicy": "Delete"}}'
        if [ "$phase" = Available ]; then
          gone='{"namespace": "@{namespace}", "name": "gone", "uid": "00000000-0000-0000-0000-000000000000"}'
          kubectl patch pv "$volume" --type merge -p "{\"spec\": {\"claimRef\": $gone}}"
        fi
        ;;
    esac
  done
