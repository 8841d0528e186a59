"""The flight-delay service: how likely a departure from New York arrives 15 minutes late or more."""
