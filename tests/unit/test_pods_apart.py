"""A pod for what is not ours: what is in it, whom it reaches, and how it ended."""

from __future__ import annotations

from typing import Any, cast

import pytest

from mlops_lab.base.errors import LabError
from mlops_lab.kube.client import Object
from mlops_lab.kube.errors import Refused, Unreachable
from mlops_lab.measure.pods import removal
from mlops_lab.measure.pods.script import PREPARED, Apart, Output, objects, run_script

SETTINGS = {"MLFLOW_TRACKING_URI": "http://mlflow.tracking:5000", "MODEL_NAME": "lab-01"}
APART = Apart(["python3", "prepare.py"], SETTINGS, ["/data"])


def made(apart: Apart | None) -> dict[str, Object]:
    found = objects("script-1", "components:1", ["python3", "judge.py"], {"judge.py": ""}, {"SEED": "7"}, 30, apart)
    return {each["kind"]: each for each in found}


def test_the_program_has_no_settings_no_token_and_nothing_of_what_is_hidden() -> None:
    pod = made(APART)["Pod"]["spec"]
    (main,), (before,) = pod["containers"], pod["initContainers"]
    assert main["env"] == [{"name": "SEED", "value": "7"}]
    assert {each["name"] for each in before["env"]} == set(SETTINGS)
    assert pod["automountServiceAccountToken"] is False and pod["enableServiceLinks"] is False
    mounts = {each["mountPath"]: each for each in main["volumeMounts"]}
    assert mounts["/data"]["readOnly"] and mounts[PREPARED]["readOnly"]
    volumes = {each["name"]: each for each in pod["volumes"]}
    assert volumes[mounts["/data"]["name"]]["emptyDir"] == {}
    assert "/data" not in {each["mountPath"] for each in before["volumeMounts"]}
    assert before["securityContext"] == main["securityContext"]
    shared = {each["name"] for each in main["volumeMounts"]} & {each["name"] for each in before["volumeMounts"]}
    assert shared == {"files", "prepared"}


def test_the_pod_reaches_the_platform_only_where_something_is_prepared_from_there() -> None:
    found = made(APART)
    policy, labels = found["NetworkPolicy"]["spec"], found["Pod"]["metadata"]["labels"]
    assert set(policy["podSelector"]["matchLabels"].items()) <= set(labels.items())
    assert policy["policyTypes"] == ["Ingress", "Egress"] and policy["ingress"] == []
    (platform, dns) = policy["egress"]
    (place,) = platform["to"]
    assert place["namespaceSelector"]["matchExpressions"][0]["values"] == ["tracking"]
    assert {each["port"] for each in dns["ports"]} == {53}
    assert made(Apart(settings=SETTINGS))["NetworkPolicy"]["spec"]["egress"] == []


def test_a_program_of_the_checkers_alone_is_in_no_policy() -> None:
    assert set(made(None)) == {"ConfigMap", "Pod"} and "initContainers" not in made(None)["Pod"]["spec"]


class Cluster:
    """A cluster in which a pod has ended: its containers with these exit codes, None for one that has not begun."""

    def __init__(self, before: int | None, main: int | None) -> None:
        self.before, self.main = before, main
        self.deleted: list[str] = []

    def apply(self, found: list[Object]) -> None: ...

    def wait(self, *given: Any, **more: Any) -> tuple[bool, Object]:
        def states(code: int | None) -> list[Object]:
            return [{"state": {"waiting": {}} if code is None else {"terminated": {"exitCode": code}}}]

        status = {"initContainerStatuses": states(self.before), "containerStatuses": states(self.main)}
        pod = {"metadata": {"name": "script-1"}, "status": {"phase": "Failed", **status}}
        return True, pod

    def logs(self, pod: str, namespace: str, container: str, tail: int) -> str:
        return f'{{"by": "{container}"}}'

    def delete(self, kind: str, *given: Any, **more: Any) -> None:
        self.deleted.append(kind)

    def find(self, *given: Any, **more: Any) -> None:
        return None


def run(cluster: Cluster) -> Output:
    return run_script(cast(Any, cluster), "i", ["c"], files={}, env={}, within=1, apart=APART)


def test_both_programs_are_heard_and_all_is_deleted() -> None:
    cluster = Cluster(0, 0)
    found = run(cluster)
    assert found.before is not None
    assert (found.json(), found.before.json()) == ({"by": "script"}, {"by": "prepare"})
    assert cluster.deleted == ["Pod", "NetworkPolicy", "ConfigMap"]


def test_what_could_not_be_prepared_is_the_checkers_fault() -> None:
    with pytest.raises(LabError, match="ended with 3"):
        run(Cluster(3, None)).json()
    with pytest.raises(LabError, match="did not end"):
        run(Cluster(0, None))


class Standing(Cluster):
    """A cluster that has what is applied and not deleted, and that answers some requests with trouble.

    Args:
        refused: a kind that can't be applied.
        away: how often the API server does not answer, when a pod is to be deleted.
    """

    def __init__(self, *, refused: str = "", away: int = 0, trouble: LabError | None = None) -> None:
        super().__init__(0, 0)
        self.refused, self.away, self.trouble = refused, away, trouble or Unreachable("no answer", "lab status")
        self.there = set[str]()

    def apply(self, found: list[Object]) -> None:
        for each in found:
            if each["kind"] == self.refused:
                raise Refused("exceeded quota", "see the quota", 403)
            self.there.add(each["kind"])

    def delete(self, kind: str, *given: Any, **more: Any) -> None:
        if kind == "Pod" and self.away:
            self.away -= 1
            raise self.trouble
        self.there.discard(kind)


def test_what_was_made_before_something_could_not_be_made_is_deleted() -> None:
    cluster = Standing(refused="Pod")
    with pytest.raises(LabError, match="quota"):
        run(cluster)
    assert cluster.there == set()


def test_a_moment_without_an_api_server_leaves_nothing_and_costs_no_output(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removal, "_EVERY", 0.01)
    cluster = Standing(away=3)
    assert run(cluster).json() == {"by": "script"}
    assert cluster.there == set()


@pytest.mark.parametrize("trouble", [Unreachable("no answer", ""), Refused("not allowed", "", 403)])
def test_what_is_not_deleted_keeps_nothing_else_from_it(monkeypatch: pytest.MonkeyPatch, trouble: LabError) -> None:
    monkeypatch.setattr(removal, "_EVERY", 0.01)
    monkeypatch.setattr(removal, "_WITHIN", 0.1)
    cluster = Standing(away=1000, trouble=trouble)
    with pytest.raises(type(trouble)):
        run(cluster)
    assert cluster.there == {"Pod"}
