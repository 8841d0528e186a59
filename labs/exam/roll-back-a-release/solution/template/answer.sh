# The template out of the ReplicaSet that still has it.
set=$(kubectl get rs -o jsonpath='{range .items[*]}{.metadata.name} {.spec.template.spec.containers[0].env[?(@.name=="LIMIT")].value}{"\n"}{end}' |
  awk '$2 == "@{limit}" {print $1}')
{ kubectl get rs "$set" -o json; kubectl get deployment @{app} -o json; } |
  python3 -c '
import json, sys
text, decoder = sys.stdin.read(), json.JSONDecoder()
old, end = decoder.raw_decode(text)
it, _ = decoder.raw_decode(text[end:].lstrip())
del old["spec"]["template"]["metadata"]["labels"]["pod-template-hash"]
it["spec"]["template"], it["spec"]["revisionHistoryLimit"] = old["spec"]["template"], @{keep}
it["metadata"]["annotations"]["kubernetes.io/change-cause"] = "@{cause}"
print(json.dumps(it))' | kubectl replace -f -
