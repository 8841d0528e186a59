kubectl annotate pods --selector=run=@{model} --overwrite \
  prometheus.io/scrape=true prometheus.io/port=@{port} prometheus.io/path=@{path}
kubectl label pods --selector=run=@{model} app=@{app}
