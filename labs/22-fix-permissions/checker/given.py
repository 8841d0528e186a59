"""What was given, and is to stay: the CronJobs but for their account and its token, and their program."""

from __future__ import annotations

from pathlib import Path

from mlops_lab.checks import Lab, Observation, holds
from mlops_lab.checks.matchers import quantity
from mlops_lab.kit.given import differences, in_manifests
from mlops_lab.kube.client import Object

from .accounts import ACCOUNTS

START = Path(__file__).parents[1] / "start"
PROGRAM, _PLACE, DATA = "steps", "/pipeline", "flights"
# What else is said of when and how often, and what the API server takes where nothing is.
_OF_THE_CRONJOB = {
    "concurrencyPolicy": "Allow", "startingDeadlineSeconds": None, "successfulJobsHistoryLimit": 3,
    "failedJobsHistoryLimit": 1,
}  # fmt: skip
_OF_ITS_JOB = {
    "backoffLimit": 6, "activeDeadlineSeconds": None, "ttlSecondsAfterFinished": None, "completions": 1,
    "parallelism": 1,
}  # fmt: skip
# Of a pod what is the learner's, or looked at by itself; and what is added where it is to run elsewhere or otherwise.
_APART = ("containers", "volumes", "serviceAccountName", "automountServiceAccountToken")
_ADDED = (
    "affinity", "hostAliases", "hostIPC", "hostNetwork", "hostPID", "nodeName", "nodeSelector", "priorityClassName",
    "runtimeClassName", "shareProcessNamespace", "tolerations", "topologySpreadConstraints",
)  # fmt: skip
_RUNS = 5  # whose Jobs are there at a time: three that ended well, one that failed, the next one
_COUNTED = ("count/jobs.batch", "count/pods")  # those that have ended are counted, too


def key() -> str:
    """The key by which models are signed."""
    return str(in_manifests(START, "Secret", "signing-key")["stringData"]["key"])


async def pipeline_is_given(lab: Lab) -> Observation:
    """Whether the CronJobs start what was given, when they did, nightly by itself, and of what data.

    Whom the Deployment's pods act as is looked at, too: they ask the API server for nothing.
    """
    said: list[str] = []
    for cronjob in ACCOUNTS:
        was = in_manifests(START, "CronJob", cronjob)["spec"]
        _pod(was)["containers"][0]["image"] = lab.platform.image("v1")
        now = await lab.objects.named("CronJob", cronjob).present()
        said += [f"CronJob {cronjob}: {each}" for each in other(now["spec"], was)]
    for config_map in (PROGRAM, DATA):
        found = await lab.objects.named("ConfigMap", config_map).present()
        if (found.get("data") or {}) != in_manifests(START, "ConfigMap", config_map)["data"]:
            said.append(f"ConfigMap {config_map} is another one")
    account = (await lab.objects.deployment("model").present())["spec"]["template"]["spec"].get("serviceAccountName")
    if account not in (None, "", "default"):
        said.append(f"the pods of Deployment model act as {account}, and were default")
    what = "the CronJobs as they were, but for account and token, their program, the flights, and Deployment model"
    return Observation(not said, what, said[0] if said else "they are", None, tuple(said[1:8]))


def other(now: Object, was: Object) -> list[str]:
    """In what a CronJob's spec differs from the given one, in words."""
    said = []
    if bool(now.get("suspend")) != was["suspend"]:
        said.append("it is suspended, so nobody starts it at night" if now.get("suspend") else "it is not suspended")
    if (now["schedule"], now.get("timeZone")) != (was["schedule"], was.get("timeZone")):
        zone = f" (timeZone {now['timeZone']})" if now.get("timeZone") else ""
        said.append(f"its schedule is {now['schedule']}{zone}, not {was['schedule']}")
    for usual, has, had in (
        (_OF_THE_CRONJOB, now, was),
        (_OF_ITS_JOB, now["jobTemplate"]["spec"], was["jobTemplate"]["spec"]),
    ):
        for key, value in usual.items():
            if has.get(key, value) != had.get(key, value):
                said.append(f"its {key} is {has.get(key, value)}, not {had.get(key, value)}")
    pod = _pod(now)
    if len(pod["containers"]) != 1 or pod.get("initContainers"):
        said.append("there is another container in its pods")
    said += [f"another {each} of its pods" for each in _around(now, was)]
    said += differences(pod, _pod(was))
    return said if _mounts_program(pod) else [*said, f"no ConfigMap {PROGRAM} mounted as a whole at {_PLACE}"]


def _around(now: Object, was: Object) -> list[str]:
    """What is not as it was around the program of a CronJob's pods."""
    pod, given = _pod(now), _pod(was)
    other = [key for key, value in given.items() if key not in _APART and pod.get(key) != value]
    other += [key for key in _ADDED if pod.get(key)]
    first, own = pod["containers"][0], given["containers"][0]
    if (first.get("resources") or {}) != own["resources"]:
        other.append("resources")
    if first.get("lifecycle"):
        other.append("lifecycle")
    labels, had = _labels(now), _labels(was)
    return [*other, *(f"label {key}" for key, value in had.items() if labels.get(key) != value)]


def _labels(spec: Object) -> Object:
    """Of a CronJob's pods."""
    found: Object = (spec["jobTemplate"]["spec"]["template"].get("metadata") or {}).get("labels") or {}
    return found


async def room_for_runs(lab: Lab) -> Observation:
    """Whether quotas that count Jobs, also those that have ended, leave room for the runs that are kept and one."""
    needed = _RUNS * len(ACCOUNTS)
    said = [
        f"ResourceQuota {quota['metadata']['name']}: {key} {number}"
        for quota in await lab.objects.all("ResourceQuota")
        for key, number in (quota["spec"].get("hard") or {}).items()
        if key in _COUNTED and quantity(str(number)) < needed
    ]
    return holds(not said, f"no quota that allows fewer than {needed} Jobs, or pods of such", "; ".join(said))


def _pod(spec: Object) -> Object:
    found: Object = spec["jobTemplate"]["spec"]["template"]["spec"]
    return found


def _mounts_program(pod: Object) -> bool:
    mounts = pod["containers"][0].get("volumeMounts") or []
    below = [each for each in mounts if f"{each['mountPath'].rstrip('/')}/".startswith(f"{_PLACE}/")]
    if len(below) != 1 or {"subPath", "subPathExpr"} & set(below[0]) or below[0]["mountPath"].rstrip("/") != _PLACE:
        return False
    volume: Object = next((each for each in pod.get("volumes") or [] if each["name"] == below[0]["name"]), {})
    source = volume.get("configMap") or {}
    return source.get("name") == PROGRAM and not source.get("items")
