"""Secrets of what is sealed: by openssl, with the private key that is mounted."""

import base64
import os
import subprocess

from steps import No, objects

KEY = os.environ.get("PRIVATE_KEY", "/key/private.pem")
OPEN = (
    "openssl",
    "pkeyutl",
    "-decrypt",
    "-inkey",
    KEY,
    "-pkeyopt",
    "rsa_padding_mode:oaep",
    "-pkeyopt",
    "rsa_oaep_md:sha256",
)


def opened(commit, at):
    found = []
    for item in objects(commit, at, "sealed").values():
        data = {}
        for name, text in item["sealed"].items():
            try:
                content = base64.b64decode(text)
            except ValueError as trouble:
                raise No(f"manifest: {item['metadata']['name']} is no base64") from trouble
            done = subprocess.run(OPEN, input=content, capture_output=True)
            if done.returncode:
                raise No(f"manifest: {item['metadata']['name']} can't be opened with the private key")
            data[name] = base64.b64encode(done.stdout).decode()
        found.append({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": item["metadata"]["name"]}, "data": data,
        })  # fmt: skip
    return found
