kubectl create secret tls @{secret} --cert tls.crt --key tls.key
kubectl create ingress @{ingress} --class=traefik --rule='@{host}/*=@{app}:@{port},tls=@{secret}'
