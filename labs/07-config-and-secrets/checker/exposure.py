"""Where keys show that should not: in what processes were given, in logs, and in objects. No key is in what it says."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from mlops_lab.checks import Lab, LabError, Observation, holds
from mlops_lab.kit.pods import containers_of, every_container, leaving
from mlops_lab.kit.pods import name as name_of
from mlops_lab.kube.client import Object
from mlops_lab.kube.errors import Refused
from mlops_lab.kube.execs import NotStarted

from .keys import SECRET
from .sync import of_pod

KINDS = (
    "ConfigMap", "Deployment", "ReplicaSet", "Pod", "StatefulSet", "DaemonSet", "Job", "CronJob", "Service", "Secret",
)  # fmt: skip
# Others that a namespace may have; where the checker may not look, nobody whose work is graded there made one.
BESIDE = (
    "Ingress", "NetworkPolicy", "HorizontalPodAutoscaler", "PodDisruptionBudget", "PersistentVolumeClaim",
    "ServiceAccount", "Role", "RoleBinding", "ControllerRevision", "ReplicationController", "PodTemplate", "Lease",
    "LimitRange", "ResourceQuota",
)  # fmt: skip
FORBIDDEN = 403
RUN = ("Deployment", "Pod", "StatefulSet", "DaemonSet", "Job", "CronJob")
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
PART, LINES = 1 << 20, 2000  # of a log the first bytes are read, and the last lines (as many bytes at most)
# What the processes of a container were given. Where there is no shell, nobody dumps an environment with one.
LOOK = r"""
for file in /proc/[0-9]*/environ /proc/[0-9]*/cmdline; do
    echo "== $file"
    tr '\0' '\n' < $file | head -c 100000
    echo
done 2>/dev/null
echo "== env"
env
"""
LOOK_WITHIN = 30  # s
NAME = re.compile(r"[\w.-]+")  # of a variable
HELM, LARGEST = "helm.sh/release.v1", 16 << 20  # the type of Secrets with a release, and bytes that are read of one


def nowhere(places: Sequence[str], expected: str) -> Observation:
    """Whether there are no such places; else the first ones."""
    return holds(not places, expected, next(iter(places), ""), evidence=places[1:8])


async def shown(lab: Lab, key: str) -> tuple[list[str], list[str]]:
    """Where a key shows that should not, in words: in what processes are given, and in objects but its Secret."""
    signs = forms(key)
    lists = await asyncio.gather(*(listed(lab, kind) for kind in (*KINDS, *BESIDE)))
    found = [item for each in lists for item in each]
    given = [place for pod in await lab.objects.all("Pod") for place in await in_processes(lab, pod, signs)]
    given += [place for item in found if item["kind"] in RUN for place in takes_it_as_variable(item, SECRET)]
    others = [item for item in found if (item["kind"], item["metadata"]["name"]) != ("Secret", SECRET)]
    return given, [place for item in others for place in in_object(item, signs)]


async def listed(lab: Lab, kind: str) -> list[Object]:
    """All objects of a kind; of those in `BESIDE` none where they are not the checker's to list."""
    try:
        return await lab.objects.all(kind)
    except Refused as refusal:
        if kind in BESIDE and refusal.status == FORBIDDEN:
            return []
        raise


async def in_processes(lab: Lab, pod: Object, signs: Sequence[str]) -> list[str]:
    """Where in the processes of a pod's containers the key is, in words."""
    places: list[str] = []
    for container in [] if leaving(pod) else running(pod):
        places += told(pod, container, await of_pod(lab, pod, partial(given_to_processes, lab, container)) or [], signs)
    return places


def told(pod: Object, container: str, lines: Sequence[str], signs: Sequence[str]) -> list[str]:
    """Where the key is in environments and command lines, each behind a line with the file's name; in words."""
    seen: dict[str, str] = {}
    file = ""
    for line in lines:
        file = line.removeprefix("== ") if line.startswith("== ") else file
        if has(line, signs):
            what = "command line" if file.endswith("cmdline") else in_variable(line, signs)
            seen.setdefault(what, f"pod {name_of(pod)}, container {container}: {what} ({file})")
    return list(seen.values())


def in_variable(line: str, signs: Sequence[str]) -> str:
    """Where in an environment the key is, in words: in a variable by its name, or in a later line of one."""
    variable, _, value = line.partition("=")
    known = NAME.fullmatch(variable) and has(value, signs) and not has(variable, signs)
    return f"environment variable {variable}" if known else "a line of the environment"


async def given_to_processes(lab: Lab, container: str, pod: str) -> list[str]:
    """Environments and command lines, line by line, behind the file's name."""
    try:
        return (await lab.objects.run_in(pod, "sh", "-c", LOOK, container=container, within=LOOK_WITHIN)).lines
    except NotStarted:  # there is no shell
        return []


async def in_logs(lab: Lab, pod: Object, signs: Mapping[str, str]) -> list[str]:
    """Which keys are in the logs of a pod's containers, in words.

    Args:
        signs: keys, by what each is.
    """
    places = []
    for each in all_statuses(pod):
        runs = [False] if "waiting" not in (each.get("state") or {}) else []
        for previous in [*runs, True] if each.get("restartCount") else runs:
            log = await of_pod(lab, pod, partial(log_of, lab, each["name"], previous)) or ""
            where = f"in the log of pod {name_of(pod)}, container {each['name']}"
            where += ", before its restart" if previous else ""
            places += [f"{what} {where}" for what, key in signs.items() if has(log, forms(key))]
    return places


async def log_of(lab: Lab, container: str, previous: bool, pod: str) -> str:
    """The beginning and the end of a log; nothing where that of before a restart is gone."""
    with contextlib.suppress(LabError) if previous else contextlib.nullcontext():
        parts = [
            await lab.objects.logs(pod, container, tail=tail, previous=previous, limit=PART) for tail in (None, LINES)
        ]
        return "".join(parts)
    return ""


def in_object(item: Object, signs: Sequence[str]) -> Iterator[str]:
    """Where in an object the key is, in words; what it holds as base64 is read as well."""
    places = [*paths(item, signs), *in_entries(item, signs)]
    applied = (item["metadata"].get("annotations") or {}).get(LAST_APPLIED, "")
    if not places and has(applied, signs):
        places = [f"metadata.annotations.{LAST_APPLIED}"]
    return (f"{item['kind']} {name_of(item)}: {path}" for path in places)


def in_entries(item: Object, signs: Sequence[str]) -> Iterator[str]:
    """The entries of a Secret, or binary ones of a ConfigMap, in whose content the key is, within other text too."""
    field = "data" if item["kind"] == "Secret" else "binaryData"
    for entry, encoded in (item.get(field) or {}).items():
        with contextlib.suppress(ValueError, zlib.error):
            raw = base64.b64decode(str(encoded))
            content = (released(raw) if item.get("type") == HELM else raw).decode("utf-8", "replace")
            if has(content, signs) and not has(str(encoded), signs):  # `paths` has told of those
                yield f"{field}.{'(an entry with the key as its name)' if has(entry, signs) else entry}"


def released(raw: bytes) -> bytes:
    """What Helm keeps of a release, its values and objects as JSON, of which it makes gzip, and base64 of that."""
    return zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(base64.b64decode(raw), LARGEST)


def takes_it_as_variable(item: Object, secret: str) -> Iterator[str]:
    """The containers of a pod or a template whose environment gets a Secret's values, in words; run or not."""
    spec = item.get("spec") or {}
    for part in ("jobTemplate", "template"):
        spec = (spec.get(part) or {}).get("spec") or {} if part in spec else spec
    for each in every_container(spec) if spec.get("containers") else []:
        one = [((env.get("valueFrom") or {}).get("secretKeyRef") or {}).get("name") for env in each.get("env") or []]
        whole = [(env.get("secretRef") or {}).get("name") for env in each.get("envFrom") or []]
        if secret in (*one, *whole):
            yield f"{item['kind']} {name_of(item)}: container {each['name']} gets Secret {secret} as environment"


def paths(value: Any, signs: Sequence[str], path: str = "") -> Iterator[str]:
    """The fields of a plain value in which the key is, or that have it in their name."""
    if isinstance(value, dict):
        for key, one in value.items():
            if key == LAST_APPLIED:  # most of it is in the object too
                continue
            named = has(str(key), signs)
            place = "(an entry with the key as its name)" if named else str(key)
            place = f"{path}.{place}" if path else place
            if named:
                yield place
            yield from paths(one, signs, place)
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from paths(one, signs, f"{path}[{index}]")
    elif isinstance(value, str) and has(value, signs):
        yield path


def forms(key: str) -> tuple[str, ...]:
    """A key as it is, and as base64 shows it wherever it begins in what was encoded.

    Of what is encoded only whole groups of three bytes are the key's alone: others hold what stands before or behind.
    """
    found = [key]
    for before in range(3):
        skipped = -before % 3  # bytes of the key in a group with what stands before
        whole = key[skipped : skipped + (len(key) - skipped) // 3 * 3]
        found.append(base64.b64encode(whole.encode()).decode())
    return tuple(found)


def has(text: str, signs: Sequence[str]) -> bool:
    """Is one of the signs in a text?"""
    return any(sign in text for sign in signs)


def running(pod: Object) -> list[str]:
    """The names of a pod's containers that run, sidecars and those of kubectl debug too."""
    return [each["name"] for each in all_statuses(pod) if "running" in (each.get("state") or {})]


def all_statuses(pod: Object) -> list[Object]:
    """What a pod's status says of all its containers."""
    status = pod.get("status") or {}
    others = [each for kind in ("init", "ephemeral") for each in status.get(f"{kind}ContainerStatuses") or []]
    return [*others, *containers_of(pod)]
