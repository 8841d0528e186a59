for each in @{data | join(" ")}; do
  kubectl get configmap @{files} --output="jsonpath={.data.${each%.csv}\.csv}" >"$each"
done
settings() { kubectl get configmap platform --output="jsonpath={.data.$1}"; }
kubectl run card --image=localhost:5001/components:1 --restart=Never --rm --stdin --quiet \
  --env="MLFLOW_TRACKING_URI=$(settings MLFLOW_TRACKING_URI)" \
  --env="DIGESTS=$(sha256sum -- *.csv | tr '\n' ' ')" --command -- python3 - <<'EOF'
import os

from mlflow import MlflowClient

name, told = "@{namespace}", os.environ["DIGESTS"].split()
files = {digest[:16]: file for digest, file in zip(told[::2], told[1::2])}
client = MlflowClient()
served = client.get_model_version_by_alias(name, "@{alias}")
run = client.get_run(served.run_id)


def file_of(context):
    for each in run.inputs.dataset_inputs:
        if any(tag.key == "mlflow.data.context" and tag.value == context for tag in each.tags):
            return files[each.dataset.digest]


card = f"""Delays of departures from New York.
run: {run.info.run_name}
auc: {run.data.metrics["auc"]}
trained on: {file_of("training")}
"""
client.update_model_version(name, served.version, card)
EOF
