"""Tasks of exams: small labs whose names, numbers and faults are drawn from a seed; what one is, how it stands."""
