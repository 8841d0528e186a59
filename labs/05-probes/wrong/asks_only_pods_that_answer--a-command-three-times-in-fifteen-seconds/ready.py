"""Can the server in this pod serve? It gets 2 s. Exit code 1 means no."""

import sys
import urllib.request

try:
    urllib.request.urlopen("http://127.0.0.1:8080/readyz", timeout=2).close()
except OSError as trouble:
    sys.exit(f"not ready: {trouble}")
