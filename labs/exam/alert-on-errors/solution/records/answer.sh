cat >errors.yaml <<'EOF'
groups:
  - name: errors
    rules:
      - record: model:requests:increase1m
        expr: sum by (status) (increase(http_requests_total{route="/predict"}[1m]))
      - alert: @{alert}
        expr: >
          sum(model:requests:increase1m{status=~"5.+"}) > @{share} * sum(model:requests:increase1m)
          and sum(model:requests:increase1m) > 0
        for: @{hold}m
        labels:
          severity: @{severity}
        annotations:
          summary: The model fails its requests
EOF
kubectl create configmap @{rules} --from-file=errors.yaml --dry-run=client --output=json | kubectl replace -f -
