"""A network in place of the flight-delay service's forest: trained and served with PyTorch, behind the same server."""
