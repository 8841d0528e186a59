"""Why a rollout hangs, an autoscaler does not act, or a release loses requests."""

from __future__ import annotations

from collections.abc import Mapping

from mlops_lab.kit.autoscalers import Autoscaler
from mlops_lab.kit.losses import SEE_EVIDENCE, readiness_path, waits_before_end
from mlops_lab.kit.next_pods import RESIZED_BY_HAND
from mlops_lab.kube.client import Object

USUAL_SIGNAL = "SIGTERM"
GONE = "it was there, and was to stay: lab reset 23 brings it back, with all that was there"
STAYS = "what is checked must stay until the check ends"
REPORTS = "the reports were all right but for their autoscaler: kubectl describe deployment reports"
HANGS = (
    "a Deployment makes its new pods by a new ReplicaSet, and takes old ones away when new ones are ready. If there is "
    "no new pod, that ReplicaSet says why: kubectl describe replicaset. If there is one and it is not ready: kubectl "
    "describe pod. If no ReplicaSet wants new pods, the rollout is paused: kubectl describe deployment model"
)
SHARE = (
    "what a pod requests is kept for it, used or not: what is too much others miss, what is too little is missing when "
    "the node is full. The sum of all containers counts, or one that runs before them and asks for more than that: "
    "kubectl get pods -l app=model -o yaml"
)
RESIZED = f"{RESIZED_BY_HAND}, and what a LimitRange fills in. A storm or a release brings one"
QUOTA = "the quota was agreed with others, and is theirs, too: kubectl describe quota team"
ONE_EACH = (
    "an autoscaler finds its pods by scaleTargetRef, by kind and name, and a name that nothing has is accepted all the "
    "same. Two for the same pods would undo what the other does, so neither acts: kubectl get hpa, column REFERENCE"
)
AS_AGREED = "bounds and target are what was agreed; they were not what kept it from acting: kubectl get hpa -o yaml"
DIRECTIONS = "an autoscaler that computes and may not act on it is none: kubectl get hpa -o yaml, behavior"
WINDOW = (
    "the window is what was agreed: the highest number computed in it counts, so that pods don't go in each lull of a "
    "storm and come again; kubectl get hpa -o yaml, behavior"
)
ACTS = "It adds a pod only when the use is more than 10 % over the target"
IT_IS_NOT_THE_LOAD = (
    "a second pod must come because an autoscaler that looks at cpu has asked for it, and not because there are always "
    "two: kubectl describe hpa"
)
ENDS_AT_ONCE = (
    "this server ends at SIGTERM. Without a preStop wait that comes while the nodes still send requests to its pod, "
    "for a second or more where other Services change, too: that none was lost this time was luck. kubectl explain "
    "pod.spec.containers.lifecycle.preStop"
)
CAPPED = "maxReplicas bounds what a storm, or a bug, can cost"


def why_not_computing(hpa: Autoscaler | None) -> str:
    """Why an autoscaler does not compute a number of pods, and where to look; it is None where it is gone."""
    return STAYS if hpa is None else f"{what_it_lacks(hpa)}; kubectl describe hpa {hpa.name}"


def what_it_lacks(hpa: Autoscaler) -> str:
    """Why an autoscaler does not compute a number of pods."""
    if "missing request" in hpa.message:
        return (
            "its target is in percent of what the pods request. The sum is over all containers of a pod, and one of "
            "them requests no cpu, so there is nothing to take a percentage of"
        )
    if hpa.ambiguous:
        return "more than one autoscaler is for the same pods, so none of them acts"
    return "its conditions say what it tried and what it could not do"


def why_lost(deployment: Object, statuses: Mapping[int, int]) -> str:
    """What in a Deployment explains that a rollout lost requests.

    Args:
        statuses: of the requests, with counts.
    """
    spec, reasons = deployment["spec"], []
    if statuses.get(503):
        asked = readiness_path(spec["template"])
        reasons.append(
            "pods that count as ready answered 503, which this server does while its model loads. The readiness probe "
            f"asks {asked or 'nothing that depends on the model'}; only GET /readyz knows of it"
        )
    if how := takes_the_old_first(spec.get("strategy") or {}):
        reasons.append(
            f"the strategy ({how}) lets the Deployment take old pods away before new ones are ready. With one pod "
            "nobody is left to answer then; a pod more for a while (maxSurge) has room in the quota"
        )
    if not waits_before_end(spec["template"]):
        reasons.append(
            "there is no preStop wait: this server ends at SIGTERM, before all nodes know that its pod is leaving"
        )
    return "; ".join(reasons) or SEE_EVIDENCE


def ends_at_once(template: Object) -> str:
    """Why a pod's server gets its last signal as soon as the pod is told to go, in words; empty if it does not.

    How long another hook than `sleep` takes only a run shows, and what the server does at another signal.
    """
    spec = template["spec"]
    lifecycle = spec["containers"][0].get("lifecycle") or {}
    hook = lifecycle.get("preStop") or {}
    if not hook:
        signal = lifecycle.get("stopSignal", USUAL_SIGNAL)
        return "no preStop hook" if signal == USUAL_SIGNAL else ""
    if hook.get("sleep", {}).get("seconds") == 0:
        return "a preStop hook that sleeps for 0 s"
    return "terminationGracePeriodSeconds 0" if spec.get("terminationGracePeriodSeconds") == 0 else ""


def takes_the_old_first(strategy: Object) -> str:
    """By what a strategy lets the only pod go before the next one is ready, in words; empty if it does not."""
    if strategy.get("type") == "Recreate":
        return "Recreate"
    rolling = strategy.get("rollingUpdate") or {}
    more, less = str(rolling.get("maxSurge", "25%")), str(rolling.get("maxUnavailable", "25%"))
    if more in ("0", "0%"):
        return f"maxSurge {more}"
    return f"maxUnavailable {less}" if less == "100%" or (less.isdigit() and less != "0") else ""
