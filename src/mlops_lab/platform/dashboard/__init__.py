"""`lab dashboard`: a page of ours that draws the monitoring chart's dashboards from a Prometheus.

It reads the same JSON as Grafana does and draws what these dashboards use of it: time series, stat, gauge, bar gauge,
table and heatmap, variables, time range and refresh. It edits nothing and keeps nothing.
"""
