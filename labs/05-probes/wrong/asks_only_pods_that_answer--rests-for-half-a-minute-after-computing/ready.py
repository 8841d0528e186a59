"""Can the server in this pod serve? Exit code 1 means no.

One that did not answer in time is overloaded: it gets half a minute without requests, so that it can recover.
"""

import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

OVERLOADED = Path("/seen/overloaded")
REST = 30  # s

try:
    with urllib.request.urlopen("http://127.0.0.1:8080/readyz", timeout=2):
        pass
except urllib.error.HTTPError as error:
    sys.exit(f"not ready: {error.code}")
except OSError as trouble:
    OVERLOADED.touch()
    sys.exit(f"no answer: {trouble}")
if OVERLOADED.exists() and time.time() - OVERLOADED.stat().st_mtime < REST:
    sys.exit("ready, and was overloaded just before")
