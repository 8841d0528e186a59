"""Does the server in this pod answer at all? It gets 1 s. Exit code 1 means no."""

import socket
import sys

try:
    with socket.create_connection(("127.0.0.1", 8080), timeout=1) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        status = connection.recv(12)
except OSError as trouble:
    sys.exit(f"no answer within 1 s: {trouble}")
sys.exit(0 if status == b"HTTP/1.1 200" else f"not alive: {status!r}")
