kubectl patch deployment @{runner} -p '{"spec": {"template": {"spec": {"serviceAccountName": "@{robot}"}}}}'
