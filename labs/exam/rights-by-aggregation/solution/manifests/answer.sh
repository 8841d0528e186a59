kubectl label clusterrole @{one} @{two} @{label}/part-of=@{team}
