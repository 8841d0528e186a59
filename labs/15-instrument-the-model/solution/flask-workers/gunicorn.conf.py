"""gunicorn's settings, and what it does for the metrics of its workers."""

from prometheus_client.multiprocess import mark_process_dead

bind = "0.0.0.0:8080"
workers, threads = 2, 4
preload_app = True  # the model is read once, before the workers are forked
worker_tmp_dir = "/tmp"


def child_exit(server, worker):
    mark_process_dead(worker.pid)
