"""Apply what is on main, each time that there is a new commit. A colleague's first attempt."""

import subprocess
import time
from pathlib import Path

import requests
import yaml

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
NAMESPACE = (ACCOUNT / "namespace").read_text()
API = "https://kubernetes.default.svc"


def git(*words):
    return subprocess.run(["git", *words], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def apply(item):
    """Server-side apply: https://kubernetes.io/docs/reference/using-api/server-side-apply/"""
    version = item["apiVersion"]
    root = "apis" if "/" in version else "api"
    answer = requests.patch(
        f"{API}/{root}/{version}/namespaces/{NAMESPACE}/{item['kind'].lower()}s/{item['metadata']['name']}",
        json=item,
        params={"fieldManager": "delivery"},
        headers={
            "Content-Type": "application/apply-patch+yaml",
            "Authorization": f"Bearer {(ACCOUNT / 'token').read_text()}",
        },
        verify=str(ACCOUNT / "ca.crt"),
        timeout=20,
    )
    print(item["kind"], item["metadata"]["name"], answer.status_code, flush=True)


git("clone", "--quiet", "http://git/delays.git", "/tmp/delays")
last = ""
while True:
    git("-C", "/tmp/delays", "pull", "--quiet")
    newest = git("-C", "/tmp/delays", "rev-parse", "HEAD")
    if newest != last:
        for file in sorted(Path("/tmp/delays/service").glob("*.yaml")):
            for item in yaml.safe_load_all(file.read_text()):
                apply(item)
        last = newest
    time.sleep(5)
