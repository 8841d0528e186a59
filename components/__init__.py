"""Pipeline components: one folder each, and `retrain.py`, which makes them into the retraining loop."""
