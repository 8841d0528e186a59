"""Images: built of the learner's Dockerfile, and what is in their layers."""
