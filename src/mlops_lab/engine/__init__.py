"""The container engine of this host: find a running Docker, else install and start one. No images, no cluster here."""
