kubectl create ingress @{ingress} --class=traefik --rule='@{host}/@{path}*=@{api}:@{port}' --rule='@{host}/*=@{front}:@{port}'
