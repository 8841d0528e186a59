kubectl annotate ingress @{app} looked-at=today
