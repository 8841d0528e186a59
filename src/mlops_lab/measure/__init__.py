"""What checks look with: load, HTTP, hidden rows, the cluster's state. It measures; judging is the checks' part."""
