"""The platform's services: MLflow, Kubeflow Pipelines, Prometheus and dashboards, through port forwards."""
