kubectl get pod @{pod} -o json |
  python3 -c '
import json, sys
it = json.load(sys.stdin)
it["spec"]["volumes"] = [each for each in it["spec"]["volumes"] if each["name"] != "trusted"]
for each in it["spec"]["containers"]:
    each["volumeMounts"] = [mount for mount in each["volumeMounts"] if mount["name"] != "trusted"]
    each["command"][-1] = "/etc/ssl/certs"
print(json.dumps(it))' | kubectl replace --force -f -
