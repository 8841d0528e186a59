kubectl -n @{other} apply -f deny.yaml
