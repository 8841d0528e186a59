"""The pages for people: pipelines, experiments, runs, recurring runs and artifacts, as HTML that the server writes.

Each module has one subject's routes; templates/ what they fill in. Every page works without a script; htmx and a small
script of our own keep what changes up to date. What changes something goes through the functions of the API.
"""
