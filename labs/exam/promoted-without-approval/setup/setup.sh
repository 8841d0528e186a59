kubectl --namespace=mlops-lab-tracking exec --stdin deployment/mlflow -- python3 - <"$(dirname "$0")/history.py"
