"""Thin helpers on the official Kubernetes client: apply, get, wait, watch, exec, logs, events. No kind, no labs here."""
