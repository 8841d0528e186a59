kubectl create ingress @{app}-too --class=traefik --rule='@{app}.example.org/*=@{app}:@{port}'
