"""The program that a lab gives: is that what runs, unchanged?

What the learner begins with lies in the lab's `start/`. Looked at are the pods, and not only the manifests: the first
container's image and what starts it, the files that it is started from, and nothing laid over either.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from mlops_lab.checks import Lab, Observation
from mlops_lab.cluster.names import REGISTRY_PREFIX
from mlops_lab.kit.deployments import owned_pods
from mlops_lab.kit.pods import containers_of, leaving, name
from mlops_lab.kit.prerequisites import must
from mlops_lab.kube.client import Object

# Variables by which a program becomes another one, or loads another model: how their names begin, and whole names.
_STEERING = ("PATH", "PYTHON", "LD_", "MODEL_")
_STEERING_NAMES = ("HOST", "PORT")  # HOST_IP and the like say where a pod is
_HARMLESS = ("PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "PYTHONFAULTHANDLER", "PYTHONHASHSEED")
# Folders of the images in which programs and models are: nothing of another name may lie in them either.
_PROGRAMS = ("", "app", "bin", "lab", "lib", "lib64", "model", "program", "sbin", "usr")
# Of these, what images have in them; beside that, a folder of a new name lies over nothing.
_PARTLY = {
    "etc": ("ld.so", "python", "ssl", "passwd", "group", "nsswitch", "hosts", "resolv", "localtime", "alternatives"),
    "opt": ("venv", "python"),
    "srv": (),
}
# What stands around a program and is added, not changed, by which its pods run elsewhere or otherwise.
_ADDED = (
    "affinity", "hostIPC", "hostNetwork", "hostPID", "initContainers", "nodeName", "nodeSelector", "priorityClassName",
    "runtimeClassName", "shareProcessNamespace", "tolerations", "topologySpreadConstraints",
)  # fmt: skip
# Compared by `differences`, which knows what is harmless there.
_PROGRAM = ("image", "command", "args", "workingDir", "env", "envFrom", "volumeMounts", "name")


async def must_be_given(
    lab: Lab, start: Path, deployment: str = "model", files: Mapping[str, Path] | None = None, *, why: str = ""
) -> None:
    """The given program runs in all pods of a Deployment; no news where it does.

    Args:
        start: the folder with what the learner begins with.
        files: of the program by their names where it is mounted, where it is not in the image.
        why: to be said beside what differs.

    Raises:
        Failure: something else runs.
    """
    must(
        await given_runs(lab, start, deployment, files),
        f"the program is given, and what is asked for is around it{why and f'; {why}'}. Compare kubectl get deployment "
        f"{deployment} -o yaml with the files that you began with; `lab reset` brings those back, and keeps a copy of "
        "yours",
    )


async def given_runs(
    lab: Lab, start: Path, deployment: str = "model", files: Mapping[str, Path] | None = None
) -> Observation:
    """Whether the first container of each of a Deployment's pods is the given one. Arguments as for `must_be_given`."""
    given = in_manifests(start, "Deployment", deployment)["spec"]["template"]["spec"]
    given["containers"][0]["image"] = _here(lab, given["containers"][0]["image"])
    texts = {each: path.read_text(encoding="utf-8") for each, path in (files or {}).items()}
    said: list[str] = []
    for pod in await owned_pods(lab, deployment):
        if leaving(pod):
            continue
        said += differences(pod["spec"], given)
        said += await _other_files(lab, pod, given, texts) if texts else []
    what = f"the first container of Deployment {deployment}'s pods as it was given"
    return Observation(not said, what, said[0] if said else "it is", None, tuple(dict.fromkeys(said[1:8])))


async def around_is_given(
    lab: Lab, start: Path, deployment: str = "model", *, free: Collection[str] = ()
) -> Observation:
    """Whether a Deployment is as it was given around its program, which `must_be_given` looks at.

    Compared are its replicas, its strategy, and its template: no container more, and each field that was given, but
    for what the API server has filled in. Volumes are free, since mounts are compared.

    Args:
        free: fields of the pod and of its container that are the learner's.

    Raises:
        Failure: there is no such Deployment.
    """
    was: Object = in_manifests(start, "Deployment", deployment)["spec"]
    now: Object = (await lab.objects.deployment(deployment).present())["spec"]
    other: list[str] = [
        field for field in ("replicas", "strategy") if field in was and not _covers(now.get(field), was[field])
    ]
    if (was.get("strategy") or {}).get("type") == "Recreate" and (now.get("strategy") or {}).get("rollingUpdate"):
        other.append("strategy")
    pod, given = now["template"]["spec"], was["template"]["spec"]
    apart = {*free, "containers", "volumes"}
    other += [key for key, value in given.items() if key not in apart and not _covers(pod.get(key), value)]
    other += [key for key in _ADDED if key not in (*apart, *given) and pod.get(key)]
    if len(pod["containers"]) != len(given["containers"]):
        other.append(f"containers ({', '.join(each['name'] for each in pod['containers'])})")
    first, own = pod["containers"][0], given["containers"][0]
    apart |= {*_PROGRAM}
    other += [key for key, value in own.items() if key not in apart and not _covers(first.get(key), value)]
    seen = f"another {', '.join(dict.fromkeys(other))}" if other else "it is"
    return Observation(not other, f"Deployment {deployment} as it was given, but for what is yours", seen)


def in_manifests(folder: Path, kind: str, named: str) -> Object:
    """An object in the YAML files of a folder, by kind and name."""
    for file in sorted(folder.glob("*.yaml")):
        for each in yaml.safe_load_all(file.read_text(encoding="utf-8")):
            if each and each.get("kind") == kind and each["metadata"].get("name") == named:
                found: Object = each
                return found
    raise FileNotFoundError(f"no {kind} {named} in {folder}")


async def given_service(lab: Lab, start: Path, service: str = "model") -> Observation:
    """Whether a Service has the spec that it was given; what the API server has filled in is its own.

    Raises:
        Failure: there is no such Service.
    """
    wanted: Object = in_manifests(start, "Service", service)["spec"]
    now: Object = (await lab.objects.service(service))["spec"]
    usual = {"type": "ClusterIP", "sessionAffinity": "None", "internalTrafficPolicy": "Cluster"}
    free = ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy")
    other = [key for key in now if key not in (*wanted, *usual, *free)]
    other += [key for key, value in (usual | wanted).items() if not _covers(now.get(key, usual.get(key)), value)]
    other += ["ports"] if len(now.get("ports") or []) != len(wanted["ports"]) else []
    other += ["selector"] if now.get("selector") != wanted["selector"] else []
    seen = f"another {', '.join(dict.fromkeys(other))}" if other else "it is"
    return Observation(not other, f"Service {service} as it was given", seen)


def differences(spec: Object, given: Object) -> list[str]:
    """What of a pod's first container makes another program of the given one, in words; both are specs of pods."""
    now, was = spec["containers"][0], given["containers"][0]
    said = [
        f"{field} {_short(now.get(field))}, not {_short(was.get(field))}"
        for field in ("image", "command", "args", "workingDir", "envFrom")
        if (now.get(field) or None) != (was.get(field) or None)
    ]
    said += list(_other_variables(now.get("env") or [], was.get("env") or []))
    mounts = {each["mountPath"].rstrip("/"): each for each in was.get("volumeMounts") or []}
    said += [
        f"something mounted at {each['mountPath']}, over what is there"
        for each in now.get("volumeMounts") or []
        if each["mountPath"].rstrip("/") not in mounts and _lies_over(each["mountPath"])
    ]
    return said


def _lies_over(path: str) -> bool:
    """Is something of the images, or where they look for programs, at this path or below it?"""
    first, _, below = path.strip("/").partition("/")
    if first in _PARTLY:
        return not below or below.startswith(_PARTLY[first])
    return first in _PROGRAMS or "site-packages" in path


def _other_variables(now: list[Object], was: list[Object]) -> Iterator[str]:
    """Environment variables that were given and are others now, or by which a program becomes another one."""
    own = {each["name"]: each for each in now}
    given = {each["name"]: each for each in was}
    for key, each in given.items():
        if own.get(key) != each:
            yield f"{key} {_short((own.get(key) or {}).get('value'))}, not {_short(each.get('value'))}"
    for key in own:
        steers = key.startswith(_STEERING) or key in _STEERING_NAMES
        if key not in given and steers and key not in _HARMLESS:
            yield f"a variable {key}, by which it becomes another program"


async def _other_files(lab: Lab, pod: Object, given: Object, texts: Mapping[str, str]) -> list[str]:
    """Which files a pod's first container has in place of the given ones, where those are mounted."""
    volume = {each["name"]: each for each in pod["spec"].get("volumes") or []}
    mount_at = {each["mountPath"].rstrip("/"): each for each in pod["spec"]["containers"][0].get("volumeMounts") or []}
    said = []
    for each in given["containers"][0]["volumeMounts"]:
        place = each["mountPath"].rstrip("/")
        mount = mount_at.get(place) or {}
        source: Object = volume.get(mount.get("name", ""), {}).get("configMap") or {}
        if not source or source.get("items") or {"subPath", "subPathExpr"} & set(mount):
            said.append(f"no ConfigMap mounted as a whole at {place}")
            continue
        said += await _not_those(lab, source["name"], pod, texts)
        said += [f"something mounted at {one}" for one in mount_at if one.startswith(f"{place}/")]
    return said


async def _not_those(lab: Lab, config_map: str, pod: Object, texts: Mapping[str, str]) -> list[str]:
    """What a ConfigMap has in place of the given files, or had when a pod's program was started."""
    found: Object = await lab.objects.named("ConfigMap", config_map).now() or {}
    data = (found.get("data") or {}) | (found.get("binaryData") or {})
    if other := sorted(key for key in {*data, *texts} if data.get(key) != texts.get(key)):
        return [f"in ConfigMap {config_map} another {', '.join(other)}"]
    written = max((each["time"] for each in found["metadata"].get("managedFields") or [] if "time" in each), default="")
    first = pod["spec"]["containers"][0]["name"]
    runs = [(each.get("state") or {}).get("running") or {} for each in containers_of(pod) if each["name"] == first]
    began = next((str(each["startedAt"]) for each in runs if "startedAt" in each), "")
    if written and began and _moment(written) > _moment(began):
        return [f"pod {name(pod)} was started before ConfigMap {config_map} was written (kubectl rollout restart)"]
    return []


def _covers(now: Any, wanted: Any) -> bool:
    """Is a value as it was wanted, but for what the API server has filled in?"""
    if isinstance(wanted, dict):
        return isinstance(now, dict) and all(_covers(now.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        return isinstance(now, list) and len(now) == len(wanted) and all(map(_covers, now, wanted))
    return bool(now == wanted)


def _here(lab: Lab, image: str) -> str:
    """An image of the lab's files by the name that this cluster knows."""
    return image.replace(f"{REGISTRY_PREFIX}/", f"{lab.platform.registry}/")


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _short(value: Any) -> str:
    text = " ".join(map(str, value)) if isinstance(value, list) else str(value or "none")
    return text[:80]
