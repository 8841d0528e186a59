"""Can the server in this pod serve? Where it could not for long, the drill is ended; what is over needs no restart."""

import socket
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

PATIENCE, LONG = 12.0, 22.0  # s
AWAY = Path("/opt/notes/away")
try:
    urllib.request.urlopen("http://127.0.0.1:8080/readyz", timeout=PATIENCE)
    AWAY.unlink(missing_ok=True)
except urllib.error.HTTPError:
    if not AWAY.exists():
        AWAY.touch()
    elif time.time() - AWAY.stat().st_mtime > LONG:
        with socket.create_connection(("127.0.0.1", 9000), timeout=1) as connection:
            connection.sendall(b"unready 0\n")
            connection.recv(100)
except OSError as trouble:
    sys.exit(f"no answer within {PATIENCE:g} s: {trouble}")
