kubectl --namespace=mlops-lab-pipelines port-forward service/ml-pipeline :8888 >forwarded &
trap "kill $!" EXIT
until grep -q '^Forwarding from 127' forwarded; do sleep 0.2; done
endpoint=http://$(sed -n 's/^Forwarding from \(127[0-9.:]*\) .*/\1/p' forwarded)
./retrain.py
python3 - "$endpoint" <<EOF
import sys
import kfp
client = kfp.Client(host=sys.argv[1])
pipeline = client.upload_pipeline("retrain.yaml", "@{namespace}-@{pipeline}").pipeline_id
version = client.list_pipeline_versions(pipeline).pipeline_versions[0].pipeline_version_id
experiment = client.create_experiment("@{namespace}").experiment_id
client.create_recurring_run(
    experiment, "@{schedule}", cron_expression="0 @{minute} @{hour} * * *", max_concurrency=1, no_catchup=True,
    params={"days": @{days}, "trees": @{trees}}, pipeline_id=pipeline, version_id=version)
run = client.run_pipeline(
    experiment, "now", params={"days": @{days}, "trees": @{more}}, pipeline_id=pipeline, version_id=version)
print(client.wait_for_run_completion(run.run_id, timeout=200, sleep_duration=1).state)
EOF
