"""Which volumes and Secrets a run may have in its pods.

The claims of the platform itself, this server's above all, are closed to runs. A Secret is open to them once whoever
made it says so by a label; all others, such as those of helm's releases, are not. This is looked at by the names that
a pipeline fixes when a run is made, and by the names that the driver asks for before each pod is made. A Secret that
only fetches an image is not looked at: its content never reaches the container.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from embedded.pods import Refused

FOR_RUNS = "pipelines.mlops-lab/for-runs"
OWN_CLAIMS = frozenset({"data-ml-pipeline-0", "data-mysql-0", "data-seaweedfs-0"})  # of either engine
_SECRETS = ("secretAsEnv", "secretAsVolume")

# The labels of a Secret by its name; None if there is none.
Labels = Callable[[str], Mapping[str, str] | None]


def closed_claims(config: dict[str, Any]) -> list[str]:
    """What is wrong with the claims that a task's settings name outright, one phrase each."""
    names = {name for entry in config.get("pvcMount", ()) for name in _named(entry, "constant", "pvcNameParameter")}
    return [f"the claim {name} is the platform's own, no run may mount it" for name in sorted(names & OWN_CLAIMS)]


def secrets(config: dict[str, Any]) -> set[str]:
    """The Secrets whose content a task's settings name outright."""
    return {
        name
        for key in _SECRETS
        for entry in config.get(key, ())
        for name in _named(entry, "secretName", "secretNameParameter")
    }


def closed_secret(name: str, labels: Mapping[str, str]) -> str:
    """What is wrong with mounting a Secret; empty if nothing is."""
    if labels.get(FOR_RUNS) == "true":
        return ""
    return f"the Secret {name} is not open to runs: whoever made it has to label it {FOR_RUNS}=true"


def settled(config: dict[str, Any], labels: Labels) -> dict[str, Any]:
    """A task's resolved settings for its pod, without Secrets that are optional and not there: one of that name could
    come while the pod runs, and would be mounted whatever its labels.

    Raises:
        Refused: it may not mount something, or (not finally) a Secret is missing.
    """
    if wrong := closed_claims(config):
        raise Refused("; ".join(wrong), final=True)
    there = {name: labels(name) for name in sorted(secrets(config))}
    for name, found in there.items():
        if found is not None and (wrong_secret := closed_secret(name, found)):
            raise Refused(wrong_secret, final=True)
    done, empty = dict(config), list(config.get("emptyDirMounts", ()))
    for key in _SECRETS:
        missing = [entry for entry in config.get(key, ()) if there[entry["secretName"]] is None]
        for entry in missing:
            if not entry.get("optional"):
                raise Refused(f"there is no Secret {entry['secretName']}", final=False)
            if key == "secretAsVolume":
                empty.append({"volumeName": f"no-secret-{len(empty)}", "mountPath": entry["mountPath"]})
        if missing:
            done[key] = [entry for entry in config[key] if entry not in missing]
    return {**done, "emptyDirMounts": empty} if empty else done


def _named(entry: dict[str, Any], plain: str, parameter: str) -> set[str]:
    spec = entry.get(parameter)
    fixed = spec.get("runtimeValue") if isinstance(spec, dict) else None
    constant = fixed.get("constant") if isinstance(fixed, dict) else None
    return {name for name in (entry.get(plain), constant) if isinstance(name, str) and name}
