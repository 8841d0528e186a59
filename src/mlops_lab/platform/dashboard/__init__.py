"""`lab dashboard`: a page of ours that draws the monitoring chart's dashboards from a Prometheus.

It reads the same JSON as Grafana does and draws what these dashboards use of it: panels and rows, units, thresholds,
value mappings, overrides and legends, variables, time range and refresh. What of a learner's own it does not draw, it
says in the panel. It edits nothing and keeps nothing.
"""
