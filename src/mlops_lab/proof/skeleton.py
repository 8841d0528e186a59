"""`lab new`: the folder of a new lab, with one check that can fail and a mistake that shows it.

Its form is right from the first moment. It is not honest yet: four of its five mistakes differ in nothing from a
solution, so `lab verify` says of each that it passes, until the author has written it.
"""

from __future__ import annotations

import re
from pathlib import Path

from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.labs.catalog import exercises

_MANIFEST = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: model
spec:
  replicas: {replicas}
  selector:
    matchLabels:
      app: model
  template:
    metadata:
      labels:
        app: model
    spec:
      containers:
        - name: model
          image: localhost:5001/flight-delay:v1
          ports:
            - containerPort: 8080
          readinessProbe:
            httpGet:
              path: /readyz
              port: 8080
          resources:
            requests:
              cpu: 100m
              memory: 256Mi
"""

_FILES = {
    "lab.toml": """\
title = "{title}"
level = "B"
minutes = 30
summary = "One sentence: what the learner does."
needs = ["cluster"]
""",
    "README.md": """\
# {number} {title}

The situation: who needs what, and why it matters.

## Your task

Make Deployment `model` run 2 pods that are ready.

## What is measured

- within 60 s two pods of Deployment `model` are ready.
""",
    "start/model.yaml": """\
# Begin here: a Deployment named model.
apiVersion: apps/v1
kind: Deployment
metadata:
  name: model
""",
    "solution/manifests/model.yaml": _MANIFEST.format(replicas=2),
    "solution/kustomize/kustomization.yaml": """\
resources:
  - model.yaml
replicas:
  - name: model
    count: 2
""",
    "solution/kustomize/model.yaml": _MANIFEST.format(replicas=1),
    "wrong/two_pods_are_ready--one-replica/variant.toml": """\
from = "solution/manifests"
because = "One replica: when its pod goes, nobody answers."
""",
    "wrong/two_pods_are_ready--one-replica/model.yaml": _MANIFEST.format(replicas=1),
    **{
        f"wrong/two_pods_are_ready--mistake-{number}/variant.toml": """\
from = "solution/manifests"
because = "Say what is wrong, put the files that differ beside this one, and name the folder after the check."
"""
        for number in range(2, 6)
    },
    "checker/__init__.py": '''\
"""Lab {number}: say in a line what is measured."""

from mlops_lab.checks import Lab, at_least, check, expect


@check(points=2, domains=("ckad/deployment",))
async def two_pods_are_ready(lab: Lab) -> None:
    """Deployment `model` gets two ready pods within 60 s."""
    seen = await lab.deployment("model").becomes(ready_replicas=at_least(2), within=60)
    expect(seen).because("a Deployment runs as many pods as spec.replicas says; look at its events for what stops them")
''',
    "hints.md": """\
## 1

Where to look: `kubectl describe deployment model`.

## 2

What to look for: how many pods does the Deployment ask for, and how many are ready?

## 3

Nearly the answer: set `spec.replicas`.
""",
}


def make(name: str, into: Path) -> Path:
    """Make the folder `NN-name`; without a number of its own it gets the one after the highest.

    Args:
        name: lower-case words with hyphens, or with a free number in front: `30-my-topic`.

    Raises:
        UsageError: the name is not of that form, or the lab is there.
        LabError: the folder cannot be written.
    """
    form = re.fullmatch(r"(?:(\d\d)-)?([a-z][a-z0-9]*(?:-[a-z0-9]+)*)", name)
    if form is None:
        raise UsageError(f"{name!r} is no name for a lab", "use lower-case words with hyphens, such as batch-scoring")
    known = exercises(into)
    number = form[1] or f"{max((int(each.number) for each in known), default=0) + 1:02d}"
    taken = next((each for each in known if each.number == number or each.name == form[2]), None)
    if taken or number == "100":
        raise UsageError(f"lab {taken.slug if taken else '99'} is there already", "choose another name or number")
    folder = into / f"{number}-{form[2]}"
    title = form[2].replace("-", " ").capitalize()
    try:
        for path, text in _FILES.items():
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text.replace("{number}", number).replace("{title}", title))
    except OSError as trouble:
        raise LabError(
            f"{folder} cannot be written: {trouble.strerror}", "name another folder with --into"
        ) from trouble
    return folder
