"""Does the server in this pod answer at all? It may compute for 10 s, so it gets 12. Exit code 1 means no.

No restart loops: what a restart has not mended is left to whoever is on call.
"""

import socket
import sys
from pathlib import Path

PATIENCE = 12.0  # s
NOTE = Path("/opt/notes/restarted")


def answer() -> str:
    try:
        with socket.create_connection(("127.0.0.1", 8080), timeout=PATIENCE) as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            status = connection.recv(12)
    except OSError as trouble:
        return f"no answer within {PATIENCE:g} s: {trouble}"
    return "" if status == b"HTTP/1.1 200" else f"not alive: {status!r}"


trouble = answer()
if not trouble:
    sys.exit(0)
if NOTE.exists():
    print(f"{trouble}; a restart did not help, so there is no second one")
    sys.exit(0)
NOTE.write_text(trouble)
sys.exit(trouble)
