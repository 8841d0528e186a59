"""The class's server: what learners hand in, the queue of what is to be graded, signed results, pages and metrics.

It alone has the class's key and the database. `python -m mlops_lab.classroom.server` runs it, in the image
`classroom:1`; libraries that only a server has (SQLAlchemy, prometheus_client) are imported here and nowhere else.
"""
