"""Does the server in this pod answer at all? It may compute for 10 s, so it gets 12. Exit code 1 means no."""

import socket
import sys
import time

PATIENCE = 12.0  # s
end = time.monotonic() + PATIENCE
while True:
    try:
        with socket.create_connection(("127.0.0.1", 8080), timeout=end - time.monotonic()) as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            status = connection.recv(12)
        sys.exit(0 if status == b"HTTP/1.1 200" else f"not alive: {status!r}")
    except OSError as trouble:  # a container that has just come in place of another one may be asked while it loads
        if time.monotonic() + 1 > end:
            sys.exit(f"no answer within {PATIENCE:g} s: {trouble}")
        time.sleep(0.5)
