"""The checks."""

from collections.abc import Sequence
from pathlib import Path

from mlops_lab.checks import Observation, check, equal_to, expect, holds, observe
from mlops_lab.kit import deployments
from mlops_lab.kit.pods import leaving, name
from mlops_lab.kit.prerequisites import must
from mlops_lab.kit.scraping import targets
from mlops_lab.kit.unchanged import AROUND, unchanged
from mlops_lab.kube.client import Object
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn

D = drawn(Drawn, __file__)
_START = Path(__file__).parents[1] / "start"
# Of the Deployment, what is not the program or its port.
_SERVER = "template.spec.containers[server]"
_FREE = (*(f"{_SERVER}.{field}" for field in ("resources", "lifecycle", "*Probe")), "selector", *AROUND)
_ASKED = ("prometheus.io/scrape", "prometheus.io/port", "prometheus.io/path")
_NAMES = ("app", "app.kubernetes.io/name")
_PODS = 2
_SCRAPED_WITHIN = 30.0  # s; it looks each 10 s


@check(points=3)
async def scrapes_each_pod(lab: TaskLab) -> None:
    """Within 30 s Prometheus has scraped the metrics of each of the two pods, once, as the pod template says."""
    await deployments.exists(lab, D.model, why="it was there when the task began; leave it where it is")
    must(
        await deployments.rolled_out(lab, D.model, pods=_PODS, within=45),
        "kubectl describe pod says in its events what holds a pod up",
    )
    pods = {name(each) for each in await deployments.owned_pods(lab, D.model) if not leaving(each)}
    expect(observe("pods", len(pods), equal_to(_PODS))).because("leave the Deployment's two pods as they are")

    async def scraped() -> list[tuple[str, bool]]:
        return sorted((each.pod, each.up) for each in await targets(lab) if each.pod in pods)

    def shown(found: list[tuple[str, bool]]) -> str:
        return f"{len(found)} targets of these pods, {sum(up for _, up in found)} of them up"

    seen = await lab.time.eventually(
        scraped, lambda found: found == [(pod, True) for pod in sorted(pods)],
        expected=f"{_PODS} targets, one for each pod, and up", shown=shown, within=_SCRAPED_WITHIN,
    )  # fmt: skip
    expect(seen).because(
        "Prometheus reads annotations of pods, which come from the Deployment's pod template, and takes only "
        '"true". A target that is not up is asked at another port or path than that of the metrics; without '
        "prometheus.io/port each declared port is asked"
    )
    found = await lab.platform.prometheus.query(
        f'model_info{{{lab.platform.prometheus.matcher}, version="{D.version}"}}'
    )
    having = sorted(each.labels.get("pod", "") for each in found if each.labels.get("pod") in pods)
    expect(observe(f'pods of model_info{{version="{D.version}"}}', len(having), equal_to(_PODS))).because(
        "what is scraped is something else than the program's metrics; leave the program as it is"
    )
    expect(await _from_the_template(lab, "annotations", _ASKED)).because(
        "a pod that is annotated by hand is replaced one day, and the new one has what the pod template says"
    )
    for kind, free in (("Deployment", _FREE), ("ConfigMap", ())):
        must(
            await unchanged(lab, _START, kind, D.model, free=free), "the program and its port were to stay as they are"
        )


@check(points=2, needs=scrapes_each_pod)
async def bears_the_apps_name(lab: TaskLab) -> None:
    """The series of both pods have the label `app` that the rules go by, from the pod template, and their values."""
    series = f'http_requests_total{{{lab.platform.prometheus.matcher}, app="{D.app}", route="/predict"}}'
    pods = {name(each) for each in await deployments.owned_pods(lab, D.model) if not leaving(each)}

    async def values() -> list[tuple[str, float | None]]:
        found = await lab.platform.prometheus.query(series)
        return sorted((each.labels.get("pod", ""), each.points[-1][1]) for each in found)

    wanted = [(pod, float(D.requests)) for pod in sorted(pods)]
    seen = await lab.time.eventually(
        values, lambda found: [each for each in found if each[0] in pods] == wanted,
        expected=f'{D.requests} of each pod at app="{D.app}"',
        shown=lambda found: f"{len(found)} series with that label", within=12,
    )  # fmt: skip
    expect(seen).because("labels of a pod come from the pod template; those of the Deployment itself are its own")
    expect(await _from_the_template(lab, "labels", _NAMES)).because(
        "a pod that is labelled by hand is replaced one day, and the new one has what the pod template says"
    )


async def _from_the_template(lab: TaskLab, field: str, keys: Sequence[str]) -> Observation:
    """Do the Deployment's pods have annotations, or labels, as its next pod will?"""
    template = (await lab.objects.deployment(D.model).present())["spec"]["template"]
    pods = [each for each in await deployments.owned_pods(lab, D.model) if not leaving(each)]
    differ = sorted({key for pod in pods for key in keys if _said(pod, field, key) != _said(template, field, key)})
    return holds(
        not differ, f"the pods' {field} are those of the pod template", f"that says otherwise of {', '.join(differ)}"
    )


def _said(item: Object, field: str, key: str) -> str | None:
    value: str | None = (item["metadata"].get(field) or {}).get(key)
    return value
