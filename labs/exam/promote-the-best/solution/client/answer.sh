settings() { kubectl get configmap platform --output="jsonpath={.data.$1}"; }
kubectl run promote --image=localhost:5001/components:1 --restart=Never --rm --stdin --quiet \
  --env="MLFLOW_TRACKING_URI=$(settings MLFLOW_TRACKING_URI)" --command -- python3 - <<'EOF'
from mlflow import MlflowClient

name = "@{namespace}"
client = MlflowClient()
before = client.get_model_version_by_alias(name, "@{alias}").version
accepted = [each for each in client.search_model_versions(f"name='{name}'") if each.tags["accepted"] == "yes"]
best = max(accepted, key=lambda each: client.get_run(each.run_id).data.metrics["auc"])
client.set_registered_model_alias(name, "@{alias}", best.version)
client.set_registered_model_alias(name, "previous", before)
print(f"{best.version} in place of {before}")
EOF
