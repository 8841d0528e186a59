"""The images that the cluster needs: one catalog, each pulled or built by the same name. No cluster here."""
