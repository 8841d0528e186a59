kubectl delete ingress @{app}
kubectl create ingress @{app} --class=traefik --rule='@{app}.example.org/*=@{app}:@{port}'
