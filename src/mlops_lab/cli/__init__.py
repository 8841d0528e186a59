"""The `lab` command: one module per command group, which parses, calls and prints. Nothing is decided here."""
