"""Can the server in this pod serve? Where it says that it can't, the drill is ended; what is over needs no restart."""

import socket
import sys
import time
import urllib.error
import urllib.request

PATIENCE = 12.0  # s
try:
    urllib.request.urlopen("http://127.0.0.1:8080/readyz", timeout=PATIENCE)
except urllib.error.HTTPError:
    time.sleep(2)
    with socket.create_connection(("127.0.0.1", 9000), timeout=1) as connection:
        connection.sendall(b"unready 0\n")
        connection.recv(100)
except OSError as trouble:
    sys.exit(f"no answer within {PATIENCE:g} s: {trouble}")
