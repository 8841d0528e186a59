"""The MLOps platform on the cluster: Helm releases, their order, readiness and pages. No labs and no checks here."""
