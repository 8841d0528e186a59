settings() { kubectl get configmap platform --output="jsonpath={.data.$1}"; }
kubectl run compare --image=localhost:5001/components:1 --restart=Never --rm --stdin --quiet \
  --env="MLFLOW_TRACKING_URI=$(settings MLFLOW_TRACKING_URI)" --command -- python3 - <<'EOF'
from mlflow import MlflowClient

name = "@{namespace}"
client = MlflowClient()
versions = {int(each.version): client.get_run(each.run_id) for each in client.search_model_versions(f"name='{name}'")}
champion = int(client.get_model_version_by_alias(name, "@{served}").version)


def digest(number):
    return versions[number].inputs.dataset_inputs[0].dataset.digest


def quick(number):
    return versions[number].data.metrics["latency_ms"] <= @{limit}


comparable = [number for number in versions if digest(number) == digest(champion)]
useful = [number for number in comparable if quick(number)]
best = max(useful, key=lambda number: versions[number].data.metrics["auc"])
client.set_registered_model_alias(name, "@{tried}", str(best))
client.set_model_version_tag(name, str(best), "compared.with", str(champion))
EOF
