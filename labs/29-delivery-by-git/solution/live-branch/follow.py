"""Keep the cluster as the branch `live` has it. It judges nothing: only the gate moves that branch."""

import os
import subprocess
import time
from pathlib import Path

from api import NAMESPACE, ApiException, api, apply, gone
from seals import opened
from steps import git, objects

URL, CLONE = os.environ.get("REPOSITORY", "http://git/delays.git"), os.environ.get("CLONE", "/tmp/live")
MARK = {"delivery": "live"}  # what bears it, and is not in the repository any more, goes
KINDS = {"ConfigMap": "api/v1", "Service": "api/v1", "Deployment": "apis/apps/v1"}


def follow():
    git("fetch", "--quiet", "origin", at=CLONE)
    if not git("branch", "--remotes", "--list", "origin/live", at=CLONE).strip():
        return
    items = list(objects("origin/live", CLONE).values())
    secrets = opened("origin/live", CLONE)
    for item in items:
        item["metadata"].setdefault("labels", {}).update(MARK)
    for item in [*secrets, *items]:
        apply(item)
    kept = {(item["kind"], item["metadata"]["name"]) for item in [*items, *secrets]}
    for kind, version in KINDS.items():
        for name in marked(kind, version):
            if (kind, name) not in kept:
                gone(
                    {
                        "apiVersion": version.removeprefix("apis/").removeprefix("api/"),
                        "kind": kind,
                        "metadata": {"name": name},
                    }
                )
    # Secrets can't be listed: those of the last commits are known by the repository.
    for commit in git("rev-list", "--max-count=12", "origin/live", at=CLONE).split():
        for name in sealed(commit):
            if ("Secret", name) not in kept and (commit, name) not in done:
                gone({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}})
                done.add((commit, name))
    done.difference_update([each for each in done if ("Secret", each[1]) in kept])


done = set()  # Secrets that are gone


def sealed(commit):
    try:
        return [item["metadata"]["name"] for item in objects(commit, CLONE, "sealed").values()]
    except Exception:
        return []


def marked(kind, version):
    found, *_ = api.call_api(
        f"/{version}/namespaces/{NAMESPACE}/{kind.lower()}s", "GET", query_params=[("labelSelector", "delivery=live")],
        header_params={"Accept": "application/json"}, auth_settings=["BearerToken"], response_type="object",
        _request_timeout=20,
    )  # fmt: skip
    return [each["metadata"]["name"] for each in found["items"]]


if __name__ == "__main__":
    if not Path(CLONE).exists():
        subprocess.run(["git", "clone", "--quiet", URL, CLONE], check=True)
    while True:
        try:
            follow()
        except ApiException as trouble:
            print(trouble.status, trouble.reason, str(trouble.body)[:300], flush=True)
        except Exception as trouble:
            print(type(trouble).__name__, trouble, flush=True)
        time.sleep(5)
