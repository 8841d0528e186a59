"""The cluster that labs run on: created with kind and a registry, or one that the user names. No labs here."""
