kubectl create poddisruptionbudget @{budget} --selector=app=@{model},track=stable --max-unavailable=1
