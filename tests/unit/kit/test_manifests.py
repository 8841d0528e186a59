"""What a Deployment's applied manifest asks for."""

from __future__ import annotations

import json

import pytest

from mlops_lab.kit.manifests import replicas_applied


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        (json.dumps({"spec": {"replicas": 6}}), 6),
        (json.dumps({"spec": {"replicas": None}}), 0),
        ("{}", 0),
        ("[]", 0),
        ("no JSON", 0),
        (None, 0),
    ],
)
def test_what_the_applied_manifest_asks_for(text: str | None, asked: int) -> None:
    annotations = {} if text is None else {"kubectl.kubernetes.io/last-applied-configuration": text}
    assert replicas_applied({"metadata": {"annotations": annotations}}) == asked
