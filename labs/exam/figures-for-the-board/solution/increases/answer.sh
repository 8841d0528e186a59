cat >figures.yaml <<'EOF'
groups:
  - name: steps
    rules:
      - record: model:predicted:increase
        expr: sum without (pod) (increase(model_prediction_probability_count[@{minutes}m]))
      - record: model:probability:increase
        expr: sum without (pod) (increase(model_prediction_probability_sum[@{minutes}m]))
      - record: @{prefix}:probability:mean
        expr: model:probability:increase / model:predicted:increase
      - record: @{prefix}:latency_seconds:p@{percent}
        expr: >
          histogram_quantile(@{quantile},
          sum without (pod) (increase(http_request_duration_seconds_bucket{route="/predict"}[@{minutes}m])))
EOF
kubectl create configmap @{rules} --from-file=figures.yaml --dry-run=client --output=json | kubectl replace -f -
