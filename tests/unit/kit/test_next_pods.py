"""What a Deployment's next pod has of what its running pods have."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mlops_lab.kit.next_pods import next_pod, scraped_as_before
from mlops_lab.kube.client import Object
from tests.made_up import NothingThere, Room, made_up_lab

SCRAPED = {"prometheus.io/scrape": "true", "prometheus.io/port": "8080"}


class Given(NothingThere):
    """A Deployment with a template, and the LimitRanges beside it."""

    def __init__(self, template: Object, *limits: Object) -> None:
        self.template, self.limits = template, limits

    def deployment(self, name: str) -> Any:
        async def present() -> Object:
            return {"metadata": {"name": name}, "spec": {"template": self.template}}

        return Room(present=present)

    async def all(self, kind: str, selector: str = "") -> list[Any]:
        assert kind == "LimitRange"
        return [{"spec": {"limits": [each]}} for each in self.limits]


@pytest.mark.parametrize(
    ("said", "limits", "requests"),
    [
        (None, {"memory": "64Mi"}, {"memory": "16Mi", "cpu": "5m"}),
        ({"limits": {"memory": "32Mi"}}, {"memory": "32Mi"}, {"memory": "32Mi", "cpu": "5m"}),
        (
            {"limits": {"cpu": "1"}, "requests": {"cpu": "50m"}},
            {"memory": "64Mi", "cpu": "1"},
            {"memory": "16Mi", "cpu": "50m"},
        ),
    ],
)
def test_what_a_template_does_not_say_a_limit_or_a_limit_range_says(said: Any, limits: Any, requests: Any) -> None:
    template = {"spec": {"containers": [{"name": "a", "resources": said}], "initContainers": [{"name": "b"}]}}
    filled_in = {"default": {"memory": "64Mi"}, "defaultRequest": {"memory": "16Mi", "cpu": "5m"}}
    ranges = ({"type": "Container", **filled_in}, {"type": "Pod", "default": {"cpu": "9"}})
    pod = asyncio.run(next_pod(made_up_lab("20", objects=Given(template, *ranges)), "model"))
    first, before = pod["spec"]["containers"][0], pod["spec"]["initContainers"][0]
    assert first["resources"] == {"limits": limits, "requests": requests}
    assert before["resources"] == {"limits": {"memory": "64Mi"}, "requests": {"memory": "16Mi", "cpu": "5m"}}
    assert pod["metadata"]["name"] == "of model, the next one" and template["spec"]["initContainers"] == [{"name": "b"}]


def test_without_a_limit_range_nothing_is_filled_in() -> None:
    template = {"spec": {"containers": [{"name": "a"}]}}
    pod = asyncio.run(next_pod(made_up_lab("20", objects=Given(template)), "model"))
    assert pod["spec"]["containers"][0]["resources"] == {"limits": {}, "requests": {}}


@pytest.mark.parametrize(
    ("template", "pods", "seen"),
    [
        (SCRAPED, [SCRAPED, SCRAPED], ""),
        (SCRAPED | {"checksum": "1"}, [SCRAPED], ""),
        ({"prometheus_io_scrape": "true", "prometheus.io/port": "8080"}, [SCRAPED], ""),
        (SCRAPED, [{"prometheus_io/scrape": "true"}, SCRAPED | {"prometheus.io/path": "/metrics"}], ""),
        (None, [{"prometheus.io/scrape": "false"}], ""),
        (SCRAPED, [SCRAPED | {"kubectl.kubernetes.io/restartedAt": "now"}], ""),
        (None, [None], ""),
        ({"prometheus.io/scrape": "true"}, [SCRAPED], ""),  # its one port is declared
        (None, [SCRAPED], "nothing is scraped, of its running pods http port 8080, /metrics"),
        ({"prometheus.io/scrape": "false", "prometheus.io/port": "8080"}, [SCRAPED], "nothing is scraped"),
        (SCRAPED | {"prometheus.io/path": "/other"}, [None, SCRAPED], "http port 8080, /other is scraped"),
        (SCRAPED, [SCRAPED | {"prometheus.io/port": "80"}], "running pods http port 80, /metrics"),
    ],
)
def test_pods_are_scraped_by_annotations_of_their_template(template: Any, pods: Any, seen: str) -> None:
    spec = {"containers": [{"ports": [{"containerPort": 8080}]}]}
    made = [{"metadata": {"annotations": each}, "spec": spec} for each in [template, *pods]]
    found = scraped_as_before({"metadata": {"name": "model"}, "spec": {"template": made[0]}}, made[1:])
    assert found.ok is not bool(seen) and seen in found.seen and "Deployment model" in found.expected
