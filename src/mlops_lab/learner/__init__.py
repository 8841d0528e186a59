"""A learner's way through a lab: begun, watched, helped, explained, and what is kept of it."""
