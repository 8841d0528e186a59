"""What a lab or a task is, has and runs on: catalog, workspace, variants, namespace, and one run of its checks."""
