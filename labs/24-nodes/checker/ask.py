"""Ask an address again and again until there is a file /tmp/end; then print how many requests there were and failed."""

import http.client
import json
import sys
import time
import urllib.request
from pathlib import Path

EVERY, WITHIN, AT_MOST = 0.25, 2.0, 240.0  # s

opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
asked = lost = 0
end = time.monotonic() + AT_MOST
while not Path("/tmp/end").exists() and time.monotonic() < end:
    began = time.monotonic()
    asked += 1
    try:
        with opener.open(sys.argv[1], timeout=WITHIN) as answer:
            answer.read()
    except (OSError, http.client.HTTPException):  # an error's status is an OSError, too
        lost += 1
    time.sleep(max(0.0, EVERY - (time.monotonic() - began)))
print(json.dumps({"asked": asked, "lost": lost}))
