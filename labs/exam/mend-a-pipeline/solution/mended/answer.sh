kubectl --namespace=mlops-lab-pipelines port-forward service/ml-pipeline :8888 >forwarded &
trap "kill $!" EXIT
until grep -q '^Forwarding from 127' forwarded; do sleep 0.2; done
endpoint=http://$(sed -n 's/^Forwarding from \(127[0-9.:]*\) .*/\1/p' forwarded)
./pipeline.py
python3 - "$endpoint" <<EOF
import sys
import kfp
client = kfp.Client(host=sys.argv[1])
run = client.create_run_from_pipeline_package(
    "pipeline.yaml", {"count": @{count}, "limit": @{limit}}, experiment_name="@{namespace}")
print(client.wait_for_run_completion(run.run_id, timeout=200, sleep_duration=1).state)
EOF
