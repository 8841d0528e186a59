"""One object of the namespace, followed with a watch of the Kubernetes API; by the standard library alone."""

import base64
import json
import os
import ssl
import threading
import time
import urllib.request
from pathlib import Path

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
SERVER = f"https://{os.environ['KUBERNETES_SERVICE_HOST']}:{os.environ['KUBERNETES_SERVICE_PORT']}"


class Followed:
    """The data of a ConfigMap or Secret as it is now; while the API is away, as it was last."""

    def __init__(self, resource: str, name: str) -> None:
        self.name = name
        self.known = False
        self._resource = resource
        self._data: dict[str, str] = {}
        threading.Thread(target=self._follow, daemon=True).start()

    def __getitem__(self, key: str) -> str:
        return self._data.get(key, "").strip()

    def _follow(self) -> None:
        namespace = (ACCOUNT / "namespace").read_text()
        question = f"fieldSelector=metadata.name%3D{self.name}&watch=true&timeoutSeconds=240"
        url = f"{SERVER}/api/v1/namespaces/{namespace}/{self._resource}?{question}"
        trusted = ssl.create_default_context(cafile=ACCOUNT / "ca.crt")
        while True:
            try:
                # The token is changed every hour, too.
                token = (ACCOUNT / "token").read_text()
                asked = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
                with urllib.request.urlopen(asked, context=trusted, timeout=260) as events:
                    for line in events:  # the first one says how the object is
                        self._take(json.loads(line))
            except (OSError, ValueError) as trouble:
                print(f"watch of {self.name}: {type(trouble).__name__}", flush=True)
            time.sleep(1)

    def _take(self, event: dict) -> None:
        if event["type"] not in ("ADDED", "MODIFIED"):
            return
        data = event["object"].get("data") or {}
        if self._resource == "secrets":
            data = {key: base64.b64decode(value).decode() for key, value in data.items()}
        self._data, self.known = data, True
