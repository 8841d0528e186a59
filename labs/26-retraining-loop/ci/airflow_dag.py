"""For Airflow 3: an alert's receiver triggers the DAG, with the warehouse's last day and the alert's startsAt.

    POST /api/v2/dags/retrain/dagRuns
    {"logical_date": null, "conf": {"today": "2013-07-11", "since": "2013-07-12T08:00:00Z"}}

Airflow's workers run in the components' image, in a folder with pipeline.py and ci/ (REPOSITORY).
"""

import os
from datetime import datetime, timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

STEPS = {
    "compile": "python3 -m components.compiling pipeline.py pipeline.yaml",
    "start": 'python3 ci/loop.py start pipeline.yaml "$TODAY" "$SINCE"',
    "wait": "python3 ci/loop.py wait 1200",
    "report": "python3 ci/loop.py report",
}

with DAG(
    dag_id="retrain",
    start_date=datetime(2013, 1, 1),
    schedule=None,
    catchup=False,
    max_active_runs=1,  # Airflow's own "one at a time"
    default_args={"retries": 0, "execution_timeout": timedelta(minutes=30)},
) as dag:
    before = None
    for name, command in STEPS.items():
        task = BashOperator(
            task_id=name,
            bash_command=command,
            cwd=os.environ.get("REPOSITORY", "."),
            env={"TODAY": "{{ dag_run.conf['today'] }}", "SINCE": "{{ dag_run.conf['since'] }}"},
            append_env=True,
        )
        if before:
            before >> task
        before = task
