"""Model servers that take their model from an MLflow registry; the HTTP contract is that of the flight-delay server."""
