"""The checks."""

from mlops_lab.checks import Observation, check, equal_to, expect, holds, observe
from mlops_lab.kit import presence
from mlops_lab.kit.batch_specs import other_clock
from mlops_lab.kit.inside import settled
from mlops_lab.kit.jobs import ended, pods_of, started_from
from mlops_lab.kit.logs import last_lines
from mlops_lab.kit.pods import name
from mlops_lab.kube.client import Object
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn
from .routes import routes
from .same import different

D = drawn(Drawn, __file__)
_DOMAINS = ("ckad/observability-and-maintenance",)
_LABELS = {"app": D.app, "team": D.team}
_PROBE = {"tcpSocket": {"port": "http"}, "periodSeconds": 1}
_NEEDS = {"requests": {"cpu": "30m", "memory": "16Mi"}}
_READY_WITHIN, _ENDED_WITHIN, _SCALED_WITHIN = 60.0, 40.0, 20.0
_OLD = "kubectl apply says of which object the cluster does not know kind and version"


@check(points=2, domains=_DOMAINS)
async def the_program_answers(lab: TaskLab) -> None:
    """The Deployment's pods are ready and answer behind the Service, with all that the manifest said of them."""
    await settled(lab, D.app, within=_READY_WITHIN)
    answer = await lab.traffic.first_answer(lambda: lab.traffic.get(D.app, "/"), within=15)
    expect(observe("the answer", answer.text.strip(), equal_to(D.greeting), evidence=[answer.shown])).because(
        "the program answers with what its variable says"
    )
    found = await lab.objects.deployment(D.app).present()
    wanted = {
        "metadata": {"labels": _LABELS},
        "spec": {
            "minReadySeconds": D.settle, "revisionHistoryLimit": D.history,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": D.surge, "maxUnavailable": 0}},
            "selector": {"matchLabels": _LABELS},
            "template": {"metadata": {"labels": _LABELS}, "spec": {"terminationGracePeriodSeconds": 1}},
        },
    }  # fmt: skip
    program = {"image": lab.platform.image("v1"), "readinessProbe": _PROBE, "resources": _NEEDS}
    lost = different(found, wanted) + different(_first(found["spec"]["template"]), program, "container")
    expect(holds(not lost, "nothing of the Deployment is lost", "; ".join(lost))).because(
        "only the selector is new in apps/v1: the old version took the template's labels, the new one wants to be "
        "told. Without requests an autoscaler has nothing to reckon its percentages of"
    )
    service = await lab.objects.service(D.app)
    lost = different(service, {"spec": {"selector": _LABELS}})
    ports = ", ".join(f"{each.get('name', 'no name')} {each['port']}" for each in service["spec"].get("ports") or [])
    lost += [] if ports == "web 80" else [f"spec.ports are {ports or 'none'}, not web 80"]
    expect(holds(not lost, "nothing of the Service is lost", "; ".join(lost))).because(
        "v1 has been its version all along, and others find a port by its name"
    )


@check(points=2, needs=the_program_answers, domains=_DOMAINS)
async def it_is_scaled(lab: TaskLab) -> None:
    """The autoscaler finds the Deployment, and has its limits and its goal."""
    found = await presence.exists(lab, "HorizontalPodAutoscaler", D.app, _OLD)
    metrics = found["spec"].get("metrics") or []
    wanted = {
        "spec": {"scaleTargetRef": {"kind": "Deployment", "name": D.app}, "minReplicas": 2, "maxReplicas": D.most}
    }
    lost = different(found, wanted)
    goals = [(each.get("resource") or {}).get("name") == "cpu" and each["resource"].get("target") for each in metrics]
    if goals != [{"type": "Utilization", "averageUtilization": D.goal}]:
        lost.append(f"spec.metrics is {metrics}")
    expect(holds(not lost, "its target, limits and goal are those of the manifest", "; ".join(lost))).because(
        f"targetAverageUtilization: {D.goal} has become a target of type Utilization with averageUtilization"
    )
    seen = await lab.objects.named("HorizontalPodAutoscaler", D.app).until(
        lambda item: _able(item) == "True", expected="it can read and set the number of pods (AbleToScale)",
        shown=lambda item: f"AbleToScale is {_able(item)}", within=_SCALED_WITHIN,
    )  # fmt: skip
    expect(seen).because(
        "it looks for the Deployment under the version that scaleTargetRef names: kubectl describe hpa"
    )


@check(points=2, domains=_DOMAINS)
async def it_is_reached(lab: TaskLab) -> None:
    """The Ingress has the same hosts and paths, of the same types, and they lead to the Service's port.

    It names no class, or one that the cluster has.
    """
    found = await presence.exists(lab, "Ingress", D.app, _OLD)
    seen = {(*route, "80" if port == "web" else port) for *route, port in routes(found)}
    wanted = {(D.host, f"/{D.path}", "Prefix", D.app, "80"), (D.host, "/", "Exact", D.app, "80")}
    expect(await _of_a_class(lab, found)).because(
        "the manifest names none; an Ingress of a class that is not there is served by no controller"
    )
    lost = different(found, {"metadata": {"labels": {"team": D.team}}})
    expect(holds(not lost, "it has its label", "; ".join(lost))).because("who looks for the team's objects goes by it")
    expect(holds(seen == wanted, f"{D.host}/{D.path} and {D.host}/ lead to Service {D.app}", _shown(seen))).because(
        "serviceName and servicePort have become service.name and service.port, by name or by number; each path says "
        "its pathType"
    )


@check(points=2, owns="cronjob", domains=_DOMAINS)
async def it_reports(lab: TaskLab) -> None:
    """The CronJob has its schedule and rules, and a Job that is made of it prints what it did."""
    found = await presence.exists(lab, "CronJob", D.report, _OLD)
    wanted = {
        "spec": {
            "schedule": f"{D.minute} {D.hour} * * *", "concurrencyPolicy": "Forbid", "startingDeadlineSeconds": D.late,
            "failedJobsHistoryLimit": D.failed,
            "jobTemplate": {"spec": {"backoffLimit": 1, "template": {"spec": {"restartPolicy": "Never"}}}},
        }
    }  # fmt: skip
    program = {"image": lab.platform.image("v1"), "resources": {"requests": {"cpu": "5m", "memory": "8Mi"}}}
    template = found["spec"]["jobTemplate"]["spec"]["template"]
    lost = different(found, wanted) + different(_first(template), program, "container") + _at_other_times(found["spec"])
    expect(holds(not lost, "its schedule and rules are those of the manifest", "; ".join(lost))).because(
        "batch/v1 has the same fields as batch/v1beta1: only the version changes, and nothing comes to it"
    )
    async with started_from(lab, D.report) as job:
        expect(await ended(lab, job, within=_ENDED_WITHIN)).because("the program is to be as it was")
        lines = [line for pod in await pods_of(lab, job) for line in await last_lines(lab, pod, judged=True)]
    expect(observe("what its Job prints", "; ".join(lines), equal_to(f"report: {D.what}"))).because(
        "command and variables are the manifest's"
    )


@check(points=1, domains=_DOMAINS)
async def it_is_protected(lab: TaskLab) -> None:
    """The budget lets one pod of the Deployment go at a time."""
    found = await presence.exists(lab, "PodDisruptionBudget", D.app, _OLD)
    lost = different(found, {"spec": {"maxUnavailable": 1, "selector": {"matchLabels": _LABELS}}})
    expect(holds(not lost, "it is about the same pods, one of which may be missing", "; ".join(lost))).because(
        "policy/v1 has the same fields; an empty selector, which meant no pod, means all pods of the namespace there"
    )


async def _of_a_class(lab: TaskLab, ingress: Object) -> Observation:
    """Whether an Ingress names no class, or one that the cluster has."""
    own = (ingress["metadata"].get("annotations") or {}).get("kubernetes.io/ingress.class")
    wanted = ingress["spec"].get("ingressClassName") or own
    there = not wanted or wanted in map(name, await lab.objects.all("IngressClass"))
    return holds(there, "its class, if it names one, is there", f"there is no IngressClass {wanted}")


def _first(template: Object) -> Object:
    """A pod template's first container; a probe that asks its port by number asks it by name."""
    container: Object = template["spec"]["containers"][0]
    socket = (container.get("readinessProbe") or {}).get("tcpSocket") or {}
    if socket.get("port") != D.port:
        return container
    return container | {"readinessProbe": container["readinessProbe"] | {"tcpSocket": {"port": "http"}}}


def _at_other_times(spec: Object) -> list[str]:
    """What keeps a CronJob from running when its schedule says so, by the clock of the cluster."""
    rests = ["spec.suspend is true"] if spec.get("suspend") else []
    zone = other_clock(spec)
    return [*rests, f"spec.timeZone is {zone}, not the cluster's"] if zone else rests


def _able(item: object) -> str:
    conditions = (item.get("status") or {}).get("conditions") or [] if isinstance(item, dict) else []
    return next((str(each["status"]) for each in conditions if each["type"] == "AbleToScale"), "not said yet")


def _shown(routes_seen: set[tuple[str, ...]]) -> str:
    return "; ".join(
        f"{host}{path} ({kind}) to {service}:{port}" for host, path, kind, service, port in sorted(routes_seen)
    )
