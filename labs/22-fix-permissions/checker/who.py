"""Run in a step's pod: prints as JSON whom the API server takes it for, and which pod its token was made for."""

import json
import ssl
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

PLACE = Path("/var/run/secrets/kubernetes.io/serviceaccount")
URL = "https://kubernetes.default.svc/apis/authentication.k8s.io/v1/selfsubjectreviews"
REVIEW = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
POD = "authentication.kubernetes.io/pod-name"


def asked() -> dict[str, Any]:
    """The API server's own words."""
    headers = {"Authorization": f"Bearer {(PLACE / 'token').read_text()}", "Content-Type": "application/json"}
    request = urllib.request.Request(URL, json.dumps(REVIEW).encode(), headers)
    trust = ssl.create_default_context(cadata=(PLACE / "ca.crt").read_text())
    with urllib.request.urlopen(request, timeout=10, context=trust) as answer:
        found: dict[str, Any] = json.load(answer)["status"]["userInfo"]
        return found


def said() -> dict[str, Any]:
    """Who it is; `nobody` and why; or `trouble`, where the API server did not answer.

    It asks for a while: a new pod's network takes a moment, and an API server may be busy.
    """
    trouble = "no answer"
    for _ in range(10):
        try:
            user = asked()
            return {"user": user["username"], "pods": (user.get("extra") or {}).get(POD) or []}
        except urllib.error.HTTPError as refused:
            trouble = f"{refused.code} {refused.reason}"
            if refused.code < 500 and refused.code != 429:
                return {"nobody": trouble}
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError) as missing:
            return {"nobody": f"{missing.strerror}: {missing.filename}"}
        except json.JSONDecodeError as broken:
            trouble = str(broken)
        except ValueError:  # a line break in it, say; what it is stays unsaid
            return {"nobody": f"{PLACE}/token is not a token"}
        except OSError as failed:
            trouble = str(failed)
            if isinstance(failed, ssl.SSLError) or isinstance(getattr(failed, "reason", None), ssl.SSLError):
                return {"nobody": trouble}
        time.sleep(1)
    return {"trouble": trouble}


if __name__ == "__main__":
    print(json.dumps(said()))
