"""A kit's file, as the teacher hands it out: what `classroom.kit` reads, what to type first, and a kubeconfig."""

from __future__ import annotations

import base64
import json
import shlex
from collections.abc import Sequence
from dataclasses import asdict

from mlops_lab.classroom.kit import Kit

PLACE = "~/.config/mlops-lab/class.json"  # where `classroom.kit` looks
_TAKE_OUT = "import json, sys; print(json.load(open(sys.argv[1]))['kubeconfig'])"


def spelled(kit: Kit, file: str, kubeconfig: str = "") -> str:
    """The file's text: JSON, of which a person reads the beginning.

    Args:
        file: its name, for what it says to type.
        kubeconfig: for the shared cluster; empty where each learner has a cluster.
    """
    name = shlex.quote(file)
    until = f", until {kit.ends}" if kit.ends else ""
    first = [
        f"This file is {kit.learner}'s, and as good as a password{until}. Type first:",
        f"mkdir -p ~/.config/mlops-lab && install -m 600 {name} {PLACE}",
    ]
    if kubeconfig:
        first += [
            f"(umask 077; python3 -c {shlex.quote(_TAKE_OUT)} {PLACE} >class.kubeconfig)",
            "export KUBECONFIG=$PWD/class.kubeconfig",
            "kubectl get pods",
        ]
    else:
        first.append("lab up")
    first.append("Then, with your files of a lab: lab submit NN")
    more = {"kubeconfig": kubeconfig} if kubeconfig else {}
    return json.dumps({"first": first, **asdict(kit), **more}, indent=2, ensure_ascii=False) + "\n"


def kubeconfig(address: str, certificate: str, token: str, learner: str, namespaces: Sequence[str]) -> str:
    """A kubeconfig with a context for each of a learner's namespaces, of which the first one is taken.

    Args:
        address: of the API server.
        certificate: what it is trusted by, as PEM; empty where the machine trusts it anyway.
    """
    import yaml

    cluster = {"server": address}
    if certificate:
        cluster["certificate-authority-data"] = base64.b64encode(certificate.encode()).decode()
    contexts = [
        {"name": each, "context": {"cluster": "class", "user": learner, "namespace": each}} for each in namespaces
    ]
    contexts = contexts or [{"name": "class", "context": {"cluster": "class", "user": learner}}]
    whole = {
        "apiVersion": "v1", "kind": "Config", "current-context": contexts[0]["name"], "contexts": contexts,
        "clusters": [{"name": "class", "cluster": cluster}], "users": [{"name": learner, "user": {"token": token}}],
    }  # fmt: skip
    return yaml.safe_dump(whole, sort_keys=False)
