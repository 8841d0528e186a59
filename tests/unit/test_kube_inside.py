"""A connection from inside of a pod, tokens with an end, and deletions of one very object."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from kubernetes.client.exceptions import ApiException
from kubernetes.config import incluster_config
from kubernetes.dynamic.exceptions import api_exception

from mlops_lab.kube import tokens
from mlops_lab.kube.client import Kube
from mlops_lab.kube.errors import Refused, Unreachable
from mlops_lab.kube.exact import delete_exactly
from mlops_lab.kube.inside import connect_inside

SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "kit-ada", "namespace": "a", "uid": "u-1"}}


def test_what_is_no_pod_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(Unreachable, match="no pod with an account"):
        connect_inside()


def test_a_pod_connects_by_its_own_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("token", "ca.crt"):
        (tmp_path / name).write_text("abc")
    monkeypatch.setenv("MLOPS_LAB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    token, certificate = str(tmp_path / "token"), str(tmp_path / "ca.crt")
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", token)
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", certificate)
    loader = incluster_config.InClusterConfigLoader
    monkeypatch.setattr(
        "kubernetes.config.load_incluster_config",
        lambda client_configuration: loader(token, certificate).load_and_set(client_configuration),
    )
    kube = connect_inside(timeout=7)
    assert kube.api_client.configuration.host == "https://10.96.0.1:443" and kube.timeout == 7
    assert kube.api_client.configuration.retries is False and kube.kubeconfig is None


def test_a_token_ends_and_goes_with_its_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    ends = datetime(2026, 6, 1, 14, tzinfo=UTC)

    class Api:
        """Answers as the API server does."""

        def __init__(self, client: object) -> None: ...

        def create_namespaced_service_account_token(self, *given: Any, **more: Any) -> Any:
            asked.append(given)
            if len(asked) > 1:
                raise ApiException(status=403, reason="no")
            return SimpleNamespace(status=SimpleNamespace(token="t", expiration_timestamp=ends))

    monkeypatch.setattr("kubernetes.client.CoreV1Api", Api)
    kube = cast(Kube, SimpleNamespace(api_client=None, timeout=10))
    assert tokens.issue(kube, "learner-ada", "a", 7200, SECRET) == tokens.Token("t", ends.isoformat())
    account, namespace, body = asked[0]
    assert (account, namespace, body["spec"]["expirationSeconds"]) == ("learner-ada", "a", 7200)
    assert body["spec"]["boundObjectRef"] == {"apiVersion": "v1", "kind": "Secret", "name": "kit-ada", "uid": "u-1"}
    assert "audiences" not in body["spec"], "for the API server alone"
    with pytest.raises(Refused, match="a token of ServiceAccount learner-ada"):
        tokens.issue(kube, "learner-ada", "a", 7200, SECRET)


@pytest.mark.parametrize(("status", "refused"), [(0, False), (404, False), (409, True)])
def test_a_deletion_is_of_the_object_that_was_seen(status: int, refused: bool) -> None:
    asked: list[Any] = []

    def delete(**given: Any) -> None:
        asked.append(given)
        if status:
            raise api_exception(ApiException(status=status, reason="no"))

    kube = cast(Kube, SimpleNamespace(_resource=lambda *_: SimpleNamespace(delete=delete)))
    if refused:
        with pytest.raises(Refused):
            delete_exactly(kube, SECRET)
    else:
        delete_exactly(kube, SECRET)
    assert asked[0]["body"]["preconditions"] == {"uid": "u-1"} and asked[0]["namespace"] == "a"
