"""Lab 04: what comes back through Service `model`, and what is lost while one of its pods is deleted under load.

The limits are the task's own; the probabilities that must come back were computed when the images were built.
"""

from __future__ import annotations

from mlops_lab.checks import Lab, at_least, check, equal_to, expect, holds, observe
from mlops_lab.kit.answering import must_answer
from mlops_lab.kit.autoscalers import autoscaled_below
from mlops_lab.kit.deployments import all_its_own, exists, old_pods_gone
from mlops_lab.kit.predictions import predicted
from mlops_lab.kit.prerequisites import must
from mlops_lab.kit.rollouts import rollout_over
from mlops_lab.kit.service_selectors import by_the_template
from mlops_lab.kit.services import versions

from .beside import next_pod_let_in, no_other_maker
from .scenario import (
    LOAD_SECONDS,
    SELECTED_AND_READY,
    kill_under_load,
    leads_anywhere,
    loads_for,
    pods_ready,
    quickest_load,
)
from .why import ONE_REPLICA

ROLLED_OUT_WITHIN = 120  # s, one pod after the other
GONE_WITHIN = 40  # s, for pods of the template before to end; by default they have 30
ANSWER_WITHIN = 30  # s, for a model that still loads in a pod that says it is ready
LARGE = (
    f"the task is a large model: the container's environment has MODEL_LOAD_SECONDS={LOAD_SECONDS}, as in the "
    "deployment.yaml that you began with"
)
NOT_ONLY_V1 = (
    "the task is model v1. Either the pods run another image tag, or the Service's selector matches pods of another "
    "team as well, which then get a share of the traffic. Compare kubectl get service model -o wide with "
    "kubectl get pods --show-labels"
)
SHADOWS_OWN = (
    "every pod that carries all labels of a Service's selector gets its traffic, whoever made the pod. Service shadow "
    "selects app=flight-delay,track=shadow. Your pods need labels that match nobody else's selector, and the shadow's "
    "own pod has to stay: kubectl get pods -l app=flight-delay,track=shadow"
)


@check(points=2, owns="model", domains=("ckad/services-and-networking", "cka/services-and-networking"))
async def answers_right(lab: Lab) -> None:
    """POST /predict on port 80 of Service `model` gives the probabilities of model v1 within 1e-6, and only v1 answers.

    The checker waits up to 90 s until every pod that the Service selects is ready, and up to 120 s until a rollout that
    is under way has ended, and its old pods have. All pods are Deployment `model`'s, and run `flight-delay:v1` in their
    first container, which answers; a client may come to any of them. The labels that the Service selects are in the
    Deployment's template, and nothing else makes pods with them. Then it sends 40 flights that you don't see, and 100
    requests more to learn who answers them. The model must have taken its 8 s to load.
    """
    deployment = await exists(lab, apply="kubectl apply -f .")
    expect(await pods_ready(lab)).because(SELECTED_AND_READY)
    must(
        await rollout_over(lab, within=ROLLED_OUT_WITHIN),
        "as long as a rollout is under way pods of the template before answer as well. kubectl rollout status "
        "deployment/model says what it waits for; one that was paused goes on after kubectl rollout resume",
    )
    await old_pods_gone(lab, within=GONE_WITHIN)  # until then they may answer, or be taken for one of those of now
    must(await pods_ready(lab), SELECTED_AND_READY)
    expect(await all_its_own(lab, deployment, "model", image=lab.platform.image("v1"))).because(
        "the task is a Deployment named model, and a Service that leads to its pods and to no others. Who made a pod: "
        "kubectl get pods -o custom-columns=NAME:.metadata.name,OWNER:.metadata.ownerReferences[*].name; a pod that "
        "was made by hand has no owner, and nobody makes another one when it is gone"
    )
    must(
        await no_other_maker(lab, deployment),
        "a Service leads to each ready pod that carries all labels of its selector, whatever made the pod, and a pod "
        "without a readiness probe is ready as soon as it runs: when such a one comes, it gets its share of requests. "
        "A test, a job or another server needs labels of its own: kubectl get cronjobs,jobs,deployments -o yaml",
    )
    must(
        by_the_template(await lab.objects.service("model"), deployment),
        "labels that only the pods of now have, such as their ReplicaSet's pod-template-hash or one of kubectl label, "
        "lead to these alone: when the Deployment's template changes, the next pods have others, and the Service leads "
        "to none. Select by what stands in spec.template.metadata.labels",
    )
    must(
        await leads_anywhere(lab),
        "any client has to come to any of the pods: by this setting those who ask from a node, or at one from outside, "
        "get the pods of that node, and where it is Local lose all requests when these are gone. kubectl explain "
        "service.spec",
    )
    answered = await predicted(lab, rows=40, within=ANSWER_WITHIN)
    expect(answered.status("status of POST /predict")).because(
        "the Service forwards its port to the targetPort of its pods, which must be the port that the server listens "
        "on. Status 0: nobody listened there. kubectl get endpointslices shows addresses and port, kubectl logs POD "
        "says what the server listens on"
    )
    expect(answered.version("v1")).because(NOT_ONLY_V1)
    expect(answered.values("v1")).because(
        "the same model gives the same numbers wherever it runs; these are not those of v1. Which image runs: "
        "kubectl get pods -o custom-columns=NAME:.metadata.name,IMAGE:.spec.containers[*].image"
    )
    expect(observe("versions that answered", await versions(lab, "model"), equal_to("v1"))).because(NOT_ONLY_V1)
    loading = await quickest_load(lab, ANSWER_WITHIN)
    expect(observe("seconds that the model took to load", loading, at_least(LOAD_SECONDS))).because(LARGE)
    expect(await loads_for(lab)).because(LARGE)
    await must_answer(lab)


@check(points=1, needs=answers_right, owns="shadow", domains=("ckad/services-and-networking",))
async def leaves_the_shadow_alone(lab: Lab) -> None:
    """The data scientists' Service `shadow` still answers by its own pods, and with model v2 only (100 requests).

    A next pod of Deployment `shadow` must be let into the namespace, too. The checker asks for one, which never starts.
    """
    back = f"lab reset {lab.number} brings it back, and keeps your files"
    deployment = await exists(lab, "shadow", why=f"the shadow is the data scientists', and must go on: {back}")
    expect(await all_its_own(lab, deployment, "shadow", image=lab.platform.image("v2"))).because(SHADOWS_OWN)
    one = lab.traffic.hidden_rows(1).body
    await lab.traffic.first_answer(lambda: lab.traffic.post("shadow", "/predict", one), within=ANSWER_WITHIN)
    expect(observe("versions that answered at Service shadow", await versions(lab, "shadow"), equal_to("v2"))).because(
        SHADOWS_OWN
    )
    await must_answer(lab, "shadow", "shadow")
    must(
        await next_pod_let_in(lab, deployment),
        "a pod goes one day, with its node or by a rollout, and its Deployment then asks for the next one. A "
        "LimitRange or a ResourceQuota is a rule for all pods of the namespace, those of others, too: kubectl get "
        "limitranges,resourcequotas -o yaml",
    )


@check(points=4, needs=answers_right, owns="model", domains=("ckad/deployment", "ckad/observability-and-maintenance"))
async def survives_a_kill(lab: Lab) -> None:
    """Of 50 requests a second for 50 s at most 0.1 % fail while one of the pods that serve them is deleted.

    5 s after the start the checker deletes the pod that was started first, as `kubectl delete pod` does; right after
    that at least one ready pod must be left. The cluster is a busy one: just before, another Service has changed. Each
    request opens its own connection, as those of many clients do. It fails if it is refused, if no answer comes within
    10 s, or if the status is not 200. Only v1 answers meanwhile, too. No autoscaler may take the Deployment down to one
    pod, as a pod may go at any time.
    """
    low = await autoscaled_below(lab, 2)
    must(
        holds(not low, "no autoscaler that may take Deployment model down to one pod", "; ".join(low)),
        "when few requests come an autoscaler takes the Deployment down to its minReplicas, whatever spec.replicas "
        "says; with one pod left nobody answers from its end until the next one has loaded its model",
    )
    kill = await lab.once(kill_under_load)
    expect(kill.lost).because(kill.why)
    expect(kill.left).because(ONE_REPLICA)
    expect(observe("versions that answered under the load", kill.answered, equal_to("v1"))).because(
        "who is sent to a pod that ends must still get an answer of v1, by that pod itself: one of the shadow's is "
        "another model's. A pod that goes on listening for a few seconds after it is deleted needs nobody in its place"
    )


@check(points=3, needs=answers_right, owns="model", domains=("ckad/deployment", "cka/workloads-and-scheduling"))
async def heals(lab: Lab) -> None:
    """Within 40 s of the deletion as many pods are ready as before it (the same run as in `survives_a_kill`).

    In each of them the model took 8 s or more to load.
    """
    kill = await lab.once(kill_under_load)
    expect(kill.healed).because(
        "a deleted pod never comes back: its controller makes another one, at once. If the new pod is there and not "
        "ready, see how long its probes wait before they ask, and how often they do"
    )
    if kill.told and kill.loading is not None:
        expect(kill.told).because(LARGE)
        expect(
            observe("seconds that the model took to load in the ready pods", kill.loading, at_least(LOAD_SECONDS))
        ).because(LARGE)
