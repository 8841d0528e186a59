"""PodDisruptionBudgets of the namespace: in words, those about a release's pods, and how many each lets go."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from mlops_lab.checks import Lab
from mlops_lab.kit.autoscalers import autoscalers_of
from mlops_lab.kit.pod_shares import whole
from mlops_lab.kit.pods import images, leaving, name, ready
from mlops_lab.kube.client import Object

from .autoscaled import applied_again, replicas
from .placement import matches

# The last word of a label's name that says of which release a pod is, but for words that add nothing to it;
# `app.kubernetes.io/version` is usual.
_OF_A_RELEASE = {"version", "ver", "revision", "rev", "tag", "build", "commit", "sha", "digest"}
# Also of a word such as `modelversion`; not `ver`, by which `server` ends, too.
_AS_AN_ENDING = (
    "version", "semver", "modelver", "revision", "tag", "buildid", "buildnumber", "commit", "sha", "digest",
)  # fmt: skip
_NOTHING = {"id", "number", "hash"}
# Of a label `release`, which for Helm is the name of what it has installed, and that stays.
_NUMBER = re.compile(r"[vr]?\d")
# A tag that is known as one right behind a word, too, as in `modelv1`; not in `dev1`, or `srv1`.
_BEHIND_A_WORD = re.compile(r"v\d[\w.]*")
_NEXT = "of-the-next-release"
LOOKED_AT = 100  # numbers of pods


async def budgets(lab: Lab) -> tuple[str, ...]:
    """Each PodDisruptionBudget of the namespace in a line."""
    lines = []
    for each in await lab.objects.all("PodDisruptionBudget"):
        spec, status = each["spec"], each.get("status") or {}
        asks = ", ".join(f"{key} {spec[key]}" for key in ("minAvailable", "maxUnavailable") if key in spec)
        lines.append(
            f"PodDisruptionBudget {name(each)} ({asks or 'asks for nothing'}): its selector matches "
            f"{status.get('expectedPods', 0)} pods, {status.get('currentHealthy', 0)} of them are ready, "
            f"{status.get('desiredHealthy', 0)} must be, {status.get('disruptionsAllowed', 0)} may go now"
        )
    return tuple(lines) or ("there is no PodDisruptionBudget in this namespace",)


def labels_next(deployment: Object) -> dict[str, str]:
    """The labels that a Deployment's pods will have in its next release.

    Another value have pod-template-hash and those that say a version (`says_version`), but for labels by which the
    Deployment selects: these can't be changed.
    """
    spec = deployment["spec"]
    own: dict[str, str] = spec["template"]["metadata"].get("labels") or {}
    chosen_by = {*(spec["selector"].get("matchLabels") or {})}
    chosen_by |= {each["key"] for each in spec["selector"].get("matchExpressions") or []}
    tags = {each.rpartition(":")[2] for each in images(spec["template"]) if "/flight-delay:" in each}
    others = [key for key, value in own.items() if says_version(key, value, tags) and key not in chosen_by]
    return own | dict.fromkeys(["pod-template-hash", *others], _NEXT)


def says_version(label: str, value: str, tags: Iterable[str]) -> bool:
    """Whether a label says which version a pod is of: by its name, or because its value is an image's tag or has it."""
    words = re.split("[-_.]", re.sub("([a-z0-9])([A-Z])", r"\1-\2", label.rpartition("/")[2]).lower())
    last = next((each for each in reversed(words) if each not in _NOTHING), "")
    return (
        last in _OF_A_RELEASE
        or last.endswith(_AS_AN_ENDING)
        or (last == "release" and bool(_NUMBER.match(value)))
        or any(has_tag(value, tag) for tag in tags)
    )


def has_tag(value: str, tag: str) -> bool:
    """Whether an image's tag is in a label's value: as a word of it, or, if it is like `v1`, behind its last word."""
    if re.search(rf"(^|[-_.]){re.escape(tag)}($|[-_.])", value):
        return True
    return bool(_BEHIND_A_WORD.fullmatch(tag) and re.search(rf"[A-Za-z]{{3}}{re.escape(tag)}$", value))


def others_next(labels: Mapping[str, str]) -> list[str]:
    """Which of these (`labels_next`) have another value in the next release."""
    return sorted(key for key, value in labels.items() if value == _NEXT)


async def matching_budgets(lab: Lab, labels: dict[str, str]) -> list[Object]:
    """The budgets whose selector matches pods with these labels (`labels_next`)."""
    found = await lab.objects.all("PodDisruptionBudget")
    return [each for each in found if matches(each["spec"].get("selector"), labels)]


async def see_none_ready(lab: Lab, labels: dict[str, str]) -> list[bool]:
    """Of each of `matching_budgets`: has the controller seen that none of the Service's pods is ready?

    A budget may be about other pods, too, which stay ready.
    """
    own = {name(each) for each in await lab.objects.pods_of("model")}
    others = [each for each in ready(await lab.objects.all("Pod")) if name(each) not in own and not leaving(each)]
    found = []
    for budget in await matching_budgets(lab, labels):
        selector, status = budget["spec"].get("selector"), budget.get("status") or {}
        stay = sum(matches(selector, each["metadata"].get("labels") or {}) for each in others)
        found.append(status.get("currentHealthy", 0) <= stay)
    return found


def let_go(spec: Mapping[str, Any], pods: int) -> int:
    """How many of so many ready pods a budget lets go at once; percentages are rounded up, to whole pods.

    https://kubernetes.io/docs/tasks/run-application/configure-pdb/
    """
    if (least := spec.get("minAvailable")) is not None:
        return max(0, pods - whole(least, pods, math.ceil))
    return min(pods, whole(spec.get("maxUnavailable", 0), pods, math.ceil))


async def autoscaled(lab: Lab, labels: dict[str, str]) -> list[tuple[int, str]]:
    """What the budgets allow with each number of pods that an autoscaler, or the next apply of the manifest, may make:
    how many may go, and in words.

    One that never takes pods away leaves those that there are, however small its minimum. None where nothing sets
    another number: then the Eviction API itself says it of the pods that there are.

    Args:
        labels: of the pods (`labels_next`).
    """
    covering, found = await matching_budgets(lab, labels), []
    there, again = replicas(await lab.objects.deployment("model").present()), await applied_again(lab)
    if again not in (0, there):
        found += [
            (many, f"with {pods} pods, which the next apply of the manifest makes, {many} may go ({name(each)})")
            for pods, each, many in _let_go_of_each(covering, [again])
        ]
    for hpa in await autoscalers_of(lab):
        least = min(max(hpa.least, 0 if hpa.scales_in else there), hpa.most)
        found += [
            (many, f"with {pods} pods, which HorizontalPodAutoscaler {hpa.name} may make, {many} may go ({name(each)})")
            for pods, each, many in _let_go_of_each(covering, _counts(least, hpa.most))
        ]
    return found


def _counts(least: int, most: int) -> list[int]:
    """Which numbers of pods are looked at; the largest stands for very many, as of more pods no fewer may go."""
    return [*range(least, min(most, least + LOOKED_AT)), most]


def _let_go_of_each(budgets: Iterable[Object], counts: Iterable[int]) -> Iterable[tuple[int, Object, int]]:
    return [(pods, each, let_go(each["spec"], pods)) for pods in counts for each in budgets]
