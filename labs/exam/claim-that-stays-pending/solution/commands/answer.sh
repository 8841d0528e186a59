kubectl get pvc @{claim} -o json |
  python3 -c '
import json, sys
it = json.load(sys.stdin)
spec = it["spec"]
@% if "class" in faults %@
spec["storageClassName"] = "@{kind}"
@% endif %@
@% if "mode" in faults %@
spec["accessModes"] = ["ReadOnlyMany"]
@% endif %@
@% if "size" in faults %@
spec["resources"]["requests"]["storage"] = "@{size}Mi"
@% endif %@
@% if "label" in faults %@
del spec["selector"]
spec["volumeName"] = "@{volume}"
@% endif %@
print(json.dumps(it))' | kubectl replace --force -f -
