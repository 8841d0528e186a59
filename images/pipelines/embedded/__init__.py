"""The embedded engine: a server that speaks the KFP v2beta1 REST API, and the driver of each run.

The server (this package) keeps state, pods and artifacts; it never evaluates anything of a pipeline. The driver
(`embedded.driver`) is a process of its own for each run: it walks the pipeline with the SDK's local orchestrator and
asks the server for a pod for each task.
"""
