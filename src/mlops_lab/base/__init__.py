"""What every layer stands on: errors, processes, paths, versions, progress, bounded waiting. No Kubernetes here."""
