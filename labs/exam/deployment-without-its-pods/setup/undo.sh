kubectl label nodes --all @{label}-
