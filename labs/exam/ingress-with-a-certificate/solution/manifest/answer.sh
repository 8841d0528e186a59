kubectl create secret tls @{secret} --cert tls.crt --key tls.key
