"""Two workers, and new ones whenever the mounted key or threshold has changed: gunicorn's own graceful reload (HUP).

The listening socket stays open meanwhile, and the old workers finish what they have begun.
"""

import os
import signal
import threading
import time
from pathlib import Path

FILES = (Path("/etc/api-key/key"), Path("/etc/settings/threshold"))

control_socket_disable = True
chdir = "/program"
bind = "0.0.0.0:8080"
workers = 2
preload_app = True
worker_tmp_dir = "/dev/shm"


def said():
    return [file.read_text().strip() for file in FILES]


def when_ready(server):
    def follow(before):
        while True:
            time.sleep(1)
            now = said()
            if now != before:
                before = now
                server.log.info("key or threshold has changed")
                os.kill(os.getpid(), signal.SIGHUP)

    threading.Thread(target=follow, args=(said(),), daemon=True).start()


def post_fork(server, worker):
    from server import configure

    configure(*said())
