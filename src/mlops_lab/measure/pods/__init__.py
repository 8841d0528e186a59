"""Containers and pods: what they use, why they are not as they should be, and pods of the checker's own."""
