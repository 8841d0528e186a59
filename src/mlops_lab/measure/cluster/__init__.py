"""The cluster itself: its health, its nodes, its capacity, and the metrics that autoscalers read."""
