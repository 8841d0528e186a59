"""What the components share: rows, checks, drift, comparison, registry, rollout. Their image carries it.

Pandas, NumPy, scikit-learn, MLflow, river and the Kubernetes client are imported where they are needed, not before:
a component that only fetches files starts without them. Nothing here knows Kubeflow Pipelines.
"""
