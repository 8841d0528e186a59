ssh exam-control-plane kubeadm certs check-expiration -o json | python3 -c '
import json, sys
found = json.load(sys.stdin)["certificates"]
print(min(found, key=lambda each: each["expirationDate"])["name"])' > @{file}
ssh exam-control-plane kubeadm certs renew "$(cat @{file})"
