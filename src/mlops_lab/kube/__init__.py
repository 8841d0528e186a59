"""Thin helpers on the official client: apply, get, wait, watch, exec, logs, events. No kind, no labs here."""
