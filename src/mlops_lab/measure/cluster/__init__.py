"""The cluster itself: is it well, its nodes, its capacity, and the metrics that autoscalers read."""
