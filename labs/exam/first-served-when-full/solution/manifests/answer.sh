kubectl patch deployment @{urgent} -p '{"spec": {"template": {"spec": {"priorityClassName": "@{high}"}}}}'
kubectl patch deployment @{report} -p '{"spec": {"template": {"spec": {"priorityClassName": "@{polite}"}}}}'
