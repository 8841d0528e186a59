"""Learn MLOps on a real Kubernetes cluster; each package below is one layer, and imports point down."""
