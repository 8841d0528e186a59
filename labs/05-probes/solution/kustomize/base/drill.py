"""Play an incident in this pod: drill.py hang, drill.py busy SECONDS or drill.py unready SECONDS."""

import socket
import sys

with socket.create_connection(("127.0.0.1", 9000), timeout=15) as connection, connection.makefile("rw") as stream:
    stream.write(" ".join(sys.argv[1:]) + "\n")
    stream.flush()
    said = stream.readline().strip()
print(said)
sys.exit(0 if said.startswith("ok") else 1)
