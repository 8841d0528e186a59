kubectl label nodes --all @{key}-
