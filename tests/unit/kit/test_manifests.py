"""What a Deployment's applied manifest asks for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mlops_lab.kit.manifests import replicas_applied, replicas_asked
from tests.made_up import Room, made_up_lab


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


def applied(text: str = "", *, server_side: bool = True) -> Any:
    """A Deployment that was applied so; client-side with its manifest."""
    fields = {"f:spec": {"f:template": {}}}
    managed = [{"manager": "kubectl", "operation": "Apply" if server_side else "Update", "fieldsV1": fields}]
    kept = {"kubectl.kubernetes.io/last-applied-configuration": text} if text else {}
    return {"metadata": {"name": "model", "annotations": kept, "managedFields": managed}}


@pytest.mark.parametrize(
    ("files", "deployment", "asked"),
    [
        ({"model.yaml": "kind: Deployment\nmetadata: {name: model}\nspec: {replicas: 5}\n"}, applied(), 5),
        ({"model.yaml": "kind: Deployment\nmetadata: {name: model}\nspec: {}\n"}, applied(), 0),
        ({"model.yaml": "kind: Deployment\r\nmetadata: {name: model}\r\nspec: {replicas: 5}\r\n"}, applied(), 5),
        ({"model.yaml": "kind: Deployment\nmetadata: {name: other}\nspec: {replicas: 5}\n"}, applied(), 0),
        ({"all.yml": "kind: Service\n---\nkind: List\nitems: [{kind: Deployment, metadata: {name: model}, spec: "
          "{replicas: 4}}]\n"}, applied(), 4),
        ({"kustomization.yaml": "resources: [model.yaml]\nreplicas: [{name: model, count: 6}]\n"}, applied(), 6),
        ({"odd.yaml": "- 1\n---\n{", "strange.yaml": "a: [", "text.yaml": "text", "b.yaml": "items: 3"}, applied(), 0),
        ({".lab/model.yaml": "kind: Deployment\nmetadata: {name: model}\nspec: {replicas: 5}\n"}, applied(), 0),
        ({"model.yaml": "kind: Deployment\nmetadata: {name: model}\nspec: {replicas: 5}\n"},
         applied('{"spec": {}}', server_side=False), 0),
        ({}, applied('{"spec": {"replicas": 7}}', server_side=False), 7),
        ({"model.yaml": "kind: Deployment\nmetadata: {name: model}\nspec: {}\n"},
         applied('{"spec": {"replicas": 6}}'), 6),
    ],
)  # fmt: skip
def test_what_a_manifest_asks_for_that_was_applied_server_side(
    files: dict[str, str], deployment: Any, asked: int, tmp_path: Path
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(text.encode())
    assert replicas_asked(made_up_lab(work=Room(folder=tmp_path)), deployment) == asked
