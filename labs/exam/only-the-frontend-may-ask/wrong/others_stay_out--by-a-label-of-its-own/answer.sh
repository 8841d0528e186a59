kubectl label namespace @{other} @{second} reads=metrics
