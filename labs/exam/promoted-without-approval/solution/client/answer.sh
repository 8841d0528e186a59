settings() { kubectl get configmap platform --output="jsonpath={.data.$1}"; }
kubectl run approval --image=localhost:5001/components:1 --restart=Never --rm --stdin --quiet \
  --env="MLFLOW_TRACKING_URI=$(settings MLFLOW_TRACKING_URI)" \
  --env="REVIEWERS=$(kubectl get configmap @{reviewers} --output='jsonpath={.data.reviewers}' | tr '\n' ' ')" \
  --command -- python3 - >found <<'EOF'
import os

from mlflow import MlflowClient

name, reviewers = "@{namespace}", os.environ["REVIEWERS"].split()
client = MlflowClient()
versions = sorted(client.search_model_versions(f"name='{name}'"), key=lambda each: int(each.version))


def approved(version):
    by = version.tags.get("approved.by")
    return by in reviewers and by != version.tags["trained.by"]


served = client.get_model_version_by_alias(name, "@{alias}").version
best = [each.version for each in versions if approved(each)][-1]
client.set_registered_model_alias(name, "@{alias}", best)
client.set_model_version_tag(name, served, "withdrawn", "@{reason}")
print(",".join(str(each.version) for each in versions if not approved(each)))
EOF
kubectl create configmap @{record} --from-literal="unapproved=$(cat found)"
