"""Requests to a Service from inside the cluster: one, or a load of them; and rows to send that no learner sees."""
