"""What `kfp-kubernetes` sets on a task: put into its pod, or refused by name before the run is made.

The settings arrive as the JSON of KubernetesExecutorConfig. A value may be the output of another task or a parameter
of the pipeline; the driver fills these in (`resolved`), the server builds the pod (`apply`).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from embedded import mounts

# KubernetesExecutorConfig's fields; `refusals` refuses all others.
HONOURED = {
    *("secretAsEnv", "secretAsVolume", "configMapAsEnv", "configMapAsVolume", "pvcMount", "nodeSelector"),
    *("tolerations", "podMetadata", "imagePullPolicy", "imagePullSecret", "activeDeadlineSeconds", "fieldPathAsEnv"),
    *("emptyDirMounts", "enabledSharedMemory"),
}
_LISTS = (
    *("secretAsEnv", "secretAsVolume", "configMapAsEnv", "configMapAsVolume", "pvcMount", "tolerations"),
    *("imagePullSecret", "fieldPathAsEnv", "emptyDirMounts"),
)
_WHY = {
    "securityContext": "task pods run under restricted Pod Security, as a user id of the server's choice",
    "genericEphemeralVolume": "use an empty directory or a volume claim",
    "nodeAffinity": "use a node selector",
    "podAffinity": "use a node selector",
}


def refusals(platform: dict[str, Any]) -> list[str]:
    """What the platform part of a pipeline asks for that this engine does not do, one phrase each."""
    wrong: list[str] = []
    for name, each in (platform.get("platforms") or {}).items():
        if name != "kubernetes":
            wrong.append(f"settings for the platform {name!r} are not supported")
            continue
        executors = (each.get("deploymentSpec") or {}).get("executors") or {}
        for label, config in executors.items():
            task = f"task {label.removeprefix('exec-')}"
            if key := next((key for key in _LISTS if not _objects(config.get(key, []))), ""):
                wrong.append(f"{task}: the setting {key} has to be a list of objects")
                continue
            for key in sorted(set(config) - HONOURED):
                why = f" ({_WHY[key]})" if key in _WHY else ""
                wrong.append(f"{task}: the setting {key} is not supported{why}")
            wrong += [f"{task}: {closed}" for closed in mounts.closed_claims(config)]
        pipeline = each.get("pipelineConfig") or {}
        wrong += [f"the pipeline setting {key} is not supported" for key in sorted(pipeline)]
    return wrong


def secrets(platform: dict[str, Any]) -> list[tuple[str, str]]:
    """The Secrets that tasks name outright, each with the task."""
    kubernetes = (platform.get("platforms") or {}).get("kubernetes") or {}
    executors = (kubernetes.get("deploymentSpec") or {}).get("executors") or {}
    return [
        (label.removeprefix("exec-"), name)
        for label, config in executors.items()
        for name in sorted(mounts.secrets(config))
    ]


def of_executor(platform: dict[str, Any], label: str) -> dict[str, Any]:
    """The settings of one executor."""
    kubernetes = (platform.get("platforms") or {}).get("kubernetes") or {}
    found: dict[str, Any] = ((kubernetes.get("deploymentSpec") or {}).get("executors") or {}).get(label) or {}
    return found


def resolved(config: dict[str, Any], lookup: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    """The settings with a value in place of each parameter.

    Args:
        lookup: gives the value of an InputParameterSpec (`{"runtimeValue": ...}`, `{"taskOutputParameter": ...}` or
            `{"componentInputParameter": ...}`).
    """
    done = json.loads(json.dumps(config))
    for key, name in (
        *(("secretAsEnv", "secretName"), ("secretAsVolume", "secretName"), ("imagePullSecret", "secretName")),
        *(("configMapAsEnv", "configMapName"), ("configMapAsVolume", "configMapName")),
    ):
        for entry in done.get(key, ()):
            if spec := entry.pop(f"{name}Parameter", None):
                entry[name] = lookup(spec)
    for entry in done.get("pvcMount", ()):
        if spec := entry.pop("pvcNameParameter", None):
            entry["constant"] = lookup(spec)
        for older in ("taskOutputParameter", "componentInputParameter"):
            if older in entry:
                entry["constant"] = lookup({older: entry.pop(older)})
    if spec := done.get("nodeSelector", {}).pop("nodeSelectorJson", None):
        done["nodeSelector"] = {"labels": _mapping(lookup(spec))}
    tolerations: list[Any] = []
    for entry in done.get("tolerations", ()):
        spec = entry.pop("tolerationJson", None)
        given = lookup(spec) if spec else entry
        given = json.loads(given) if isinstance(given, str) else given
        tolerations += given if isinstance(given, list) else [given]
    if tolerations:
        done["tolerations"] = tolerations
    return dict(done)


def apply(config: dict[str, Any], pod: dict[str, Any], container: dict[str, Any]) -> None:
    """Put resolved settings into a pod and its main container.

    Args:
        pod: a whole manifest; its labels, annotations, volumes and so on are added to.
    """
    spec, meta = pod["spec"], pod["metadata"]
    for kind, name in (("secret", "secretName"), ("configMap", "configMapName")):
        for entry in config.get(f"{kind}AsEnv", ()):
            for pair in entry.get("keyToEnv", ()):
                reference = {"name": entry[name], "key": pair[f"{kind}Key"], "optional": entry.get("optional", False)}
                container["env"].append({"name": pair["envVar"], "valueFrom": {f"{kind}KeyRef": reference}})
        for number, entry in enumerate(config.get(f"{kind}AsVolume", ())):
            source = {"secretName" if kind == "secret" else "name": entry[name]}
            source["optional"] = entry.get("optional", False)
            _mount(spec, container, f"{kind.lower()}-{number}", {kind: source}, entry["mountPath"])
    for number, entry in enumerate(config.get("pvcMount", ())):
        source = {"persistentVolumeClaim": {"claimName": entry["constant"]}}
        extra = {"subPath": entry["subPath"]} if entry.get("subPath") else {}
        _mount(spec, container, f"claim-{number}", source, entry["mountPath"], **extra)
    for entry in config.get("emptyDirMounts", ()):
        empty = {key: entry[key] for key in ("medium", "sizeLimit") if entry.get(key)}
        _mount(spec, container, entry["volumeName"], {"emptyDir": empty}, entry["mountPath"])
    if shared := config.get("enabledSharedMemory"):
        empty = {"medium": "Memory", **({"sizeLimit": shared["size"]} if shared.get("size") else {})}
        _mount(spec, container, shared.get("volumeName") or "shm", {"emptyDir": empty}, "/dev/shm")
    for entry in config.get("fieldPathAsEnv", ()):
        source = {"fieldRef": {"fieldPath": entry["fieldPath"]}}
        container["env"].append({"name": entry["name"], "valueFrom": source})
    if labels := config.get("nodeSelector", {}).get("labels"):
        spec["nodeSelector"] = dict(labels)
    if tolerations := config.get("tolerations"):
        spec["tolerations"] = [_toleration(each) for each in tolerations]
    if secrets := config.get("imagePullSecret"):
        spec["imagePullSecrets"] = [{"name": each["secretName"]} for each in secrets]
    if policy := config.get("imagePullPolicy"):
        container["imagePullPolicy"] = policy
    if deadline := config.get("activeDeadlineSeconds"):
        spec["activeDeadlineSeconds"] = int(deadline)
    for key in ("labels", "annotations"):
        for name, value in config.get("podMetadata", {}).get(key, {}).items():
            meta.setdefault(key, {}).setdefault(name, value)  # the engine finds its pods by its own labels


def _mount(
    spec: dict[str, Any], container: dict[str, Any], name: str, source: dict[str, Any], path: str, **extra: str
) -> None:
    if path.rstrip("/") == "/tmp":  # in place of the one that each step has
        container["volumeMounts"] = [each for each in container["volumeMounts"] if each["mountPath"] != "/tmp"]
    spec["volumes"].append({"name": name, **source})
    container["volumeMounts"].append({"name": name, "mountPath": path, **extra})


def _toleration(entry: dict[str, Any]) -> dict[str, Any]:
    done = {key: value for key, value in entry.items() if value not in ("", None)}
    if "tolerationSeconds" in done:
        done["tolerationSeconds"] = int(done["tolerationSeconds"])
    return done


def _objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) for each in value)


def _mapping(value: Any) -> dict[str, str]:
    read = json.loads(value) if isinstance(value, str) else value
    return {str(key): str(each) for key, each in dict(read).items()}
