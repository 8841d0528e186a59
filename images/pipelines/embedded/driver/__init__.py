"""The driver: one process for each run, which walks the run's pipeline with the SDK's local orchestrator.

It keeps nothing. What it learns it tells the server at once, and asks there before it does anything: a driver that
takes over from one that was killed goes through the pipeline from its start, is given the results that are there, and
waits for the pods that run.
"""
