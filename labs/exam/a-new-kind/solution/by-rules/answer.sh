kubectl create -f - <<MANIFEST
{"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
 "metadata": {"name": "@{plural}.@{group}"},
 "spec": {
   "group": "@{group}", "scope": "Namespaced",
   "names": {"plural": "@{plural}", "kind": "@{kind}", "shortNames": ["@{short}"]},
   "versions": [{
     "name": "v1", "served": true, "storage": true,
     "schema": {"openAPIV3Schema": {"type": "object", "required": ["spec"], "properties": {"spec": {
       "type": "object", "required": ["@{choice}", "@{number}"],
       "properties": {
         "@{number}": {"type": "integer", "x-kubernetes-validations": [
           {"rule": "self >= @{least} && self <= @{most}", "message": "from @{least} to @{most}"}]},
         "@{choice}": {"type": "string", "pattern": "^(@{one}|@{two}|@{three})$"},
         "paused": {"type": "boolean", "default": false}}}}}},
     "additionalPrinterColumns": [
       {"name": "@{column}", "type": "string", "jsonPath": ".spec.@{choice}"},
       {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}]}]}}
MANIFEST
kubectl wait --for condition=Established --timeout 30s crd/@{plural}.@{group}
kubectl apply -f - <<MANIFEST
{"apiVersion": "@{group}/v1", "kind": "@{kind}", "metadata": {"name": "@{first}"},
 "spec": {"paused": false, "@{choice}": "@{two}", "@{number}": @{value}}}
MANIFEST
