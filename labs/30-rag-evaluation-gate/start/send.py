"""Send the gate a release: that of Service `candidate`, with that of Service `in-service` beside it.

kubectl exec deployment/candidate -- python3 send.py
"""

import json
import uuid
from pathlib import Path
from urllib.request import Request, urlopen

body = json.loads(Path(__file__).with_name("questions.json").read_text(encoding="utf-8"))
body |= {
    "release": f"try-{uuid.uuid4().hex[:8]}",
    "candidate": "http://candidate",
    "in_service": "http://in-service",
}
request = Request("http://gate/releases", json.dumps(body).encode(), {"Content-Type": "application/json"})
with urlopen(request, timeout=60) as answer:
    print(body["release"], answer.read().decode())
