"""What differs between two Deployments beside their names and numbers of pods."""

from collections.abc import Collection

from mlops_lab.kube.client import Object

# Numbers and selectors are looked at by themselves; ports of a container open nothing, they only tell of what is open.
_TRACK = "track"  # the label that is to differ
_APART = ("replicas", "selector", "template")
_OF_A_CONTAINER = ("name", "env", "volumeMounts", "ports")


def differ(was: Object, now: Object, apart: Collection[str]) -> list[str]:
    """The fields in which one is not as the other; names of containers and volumes are free.

    Args:
        apart: variables that are to differ.
    """
    one, other = _comparable(was["spec"], apart), _comparable(now["spec"], apart)
    return sorted(key for key in one | other if one.get(key) != other.get(key))


def _comparable(deployment: Object, apart: Collection[str]) -> Object:
    spec = deployment["template"]["spec"]
    container = spec["containers"][0]
    volumes = {each["name"]: {**each, "name": ""} for each in spec.get("volumes") or []}
    mounts = {each["mountPath"]: volumes.get(each["name"]) for each in container.get("volumeMounts") or []}
    labels = (deployment["template"].get("metadata") or {}).get("labels") or {}
    env = {each["name"]: each for each in container.get("env") or [] if each["name"] not in apart}
    return {
        **{key: value for key, value in deployment.items() if key not in _APART},
        **{key: value for key, value in spec.items() if key not in ("containers", "volumes")},
        **{key: value for key, value in container.items() if key not in _OF_A_CONTAINER},
        "number of containers": len(spec["containers"]), "mounts": mounts, "variables": env,
        "labels of the pods": {key: value for key, value in labels.items() if key != _TRACK},
    }  # fmt: skip
