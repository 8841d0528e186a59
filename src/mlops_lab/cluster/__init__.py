"""The cluster that labs run on: made by kind beside a registry, or one that the user names. No labs here."""
