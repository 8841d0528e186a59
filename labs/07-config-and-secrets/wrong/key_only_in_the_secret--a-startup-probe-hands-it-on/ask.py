"""python3 ask.py KEY: exit code 0 where the server answers who has the key."""

import json
import sys
import urllib.request

FLIGHT = {
    "month": 7,
    "day": 4,
    "weekday": 3,
    "hour": 17,
    "carrier": "UA",
    "origin": "EWR",
    "dest": "ORD",
    "distance": 719,
}

asked = urllib.request.Request(
    "http://127.0.0.1:8080/predict",
    json.dumps({"rows": [FLIGHT]}).encode(),
    {"Content-Type": "application/json", "X-API-Key": sys.argv[1]},
)
with urllib.request.urlopen(asked, timeout=4) as answer:
    sys.exit(0 if json.load(answer)["probabilities"] else 1)
