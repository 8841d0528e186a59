"""Lab 12: what clients see while the learner's own `deploy` brings a good image, and then a broken one.

The checker changes nothing itself but for the image once, before the broken one is tried, and what it finds changed at
the end: it puts the Deployment back as it was.
"""

from __future__ import annotations

from mlops_lab.checks import Lab, check, expect
from mlops_lab.kit.answering import must_answer
from mlops_lab.kit.deployments import exists
from mlops_lab.kit.given import must_be_given
from mlops_lab.kit.predictions import predicted

from .calls import START, WITHIN
from .scenario import deployment_before, tried, updated
from .why import why_lost

OTHERS = (
    "the Service leads to other pods than those of Deployment model now. The task is an update of that one, and a way "
    "back in it, not another beside it: kubectl get endpointslices -o yaml"
)
ANSWER_WITHIN = 15  # s; the nodes hear of pods that came or went a moment later than the API


@check(points=1, domains=("ckad/services-and-networking", "ckad/environment-configuration-and-security"))
async def serves_v1(lab: Lab) -> None:
    """Service `model` answers POST /predict on port 80 with the values of model v1, for 20 flights that you don't see.

    The checker waits up to 60 s until all pods of the Deployment `model` are ready. What answers is the given server,
    with its `MODEL_LOAD_SECONDS`, in these pods alone.
    """
    await exists(lab, apply="kubectl apply -f model.yaml")
    expect(await lab.objects.deployment("model").rolled_out(within=60)).because(
        "kubectl describe pod says in its events what holds a pod up, kubectl logs what the server says about it"
    )
    answered = await predicted(
        lab,
        rows=20,
        within=ANSWER_WITHIN,
        answer_within=5,
        test=lambda answer: answer.status == 200 and answer.fields_if_any.get("model_version") == "v1",
    )
    selected = len(await lab.objects.pods_of("model"))
    expect(answered.status()).because(
        f"the selector of Service model matches {selected} pods; they must be ready, and the Service's targetPort must "
        "be the port that the server listens on: 8080. kubectl get endpointslices shows the addresses and the port"
    )
    expect(answered.version("v1")).because(
        "the update begins at v1. Put the image back in the manifests, apply them, and let the checker make the update"
    )
    expect(answered.count()).because("it is one for each flight")
    expect(answered.values("v1", what="largest difference from the model's own values")).because(
        "the same model gives the same values wherever it runs; these come from another one"
    )
    await must_answer(lab)
    await must_be_given(lab, START, why="leave MODEL_LOAD_SECONDS, and begin with image v1")


@check(points=1, needs=serves_v1, owns="model", domains=("ckad/deployment",))
async def replaces_the_old(lab: Lab) -> None:
    """`./deploy IMAGE` with v2 exits 0 within 60 s, and from v1 the answers change over to v2 alone.

    The image has a repository and a tag that are drawn for this run. The program is called 5 s after the start of a
    load, in a copy of the workspace; when it exits, all pods of the Deployment have that image and are ready, no fewer
    than before, also meanwhile unless an autoscaler decides about that, the server is else as it was given in each pod
    of that image, and in the last 10 s of the load every answer is v2's. After the load the program is called with the
    next image, and brings that, too.
    """
    update = await lab.once(updated)
    expect(update.exited).because(
        "the pipeline that calls the program has nothing but its exit code: 0 says that the new image serves. If it "
        f"was stopped after {WITHIN} s: bound each wait in it (kubectl rollout status --timeout), and see what the "
        "rollout waits for: kubectl get pods while it runs, kubectl describe deployment model. What counts is the "
        "image's whole name, repository and tag"
    )
    expect(update.through).because(
        "kubectl set image and kubectl apply return when the wish is stored, and pods come and go after that: wait for "
        "it (kubectl rollout status) before you say that it is done. And it is the Deployment model that gets the "
        "image, the one that was given: its whole name, as the next one may be in another repository"
    )
    expect(update.given).because(
        "the program brings another image, and nothing else: the server's command and MODEL_LOAD_SECONDS stay, also "
        "while it works, and no pod is taken away meanwhile, as those that are left have to carry all requests. "
        "Compare kubectl get deployment model -o yaml before and after ./deploy, and kubectl get replicasets -o yaml"
    )
    expect(update.replaced).because(
        "the program gets the image as its first argument. A rollout begins when the pod template changes: with the "
        "same tag again a restart runs what ran before. Compare kubectl get deployment model -o wide before and after "
        "./deploy, and ask the Service: GET /version names model and pod"
    )
    expect(update.own).because(OTHERS)
    for seen in update.again:
        expect(seen).because(
            "there is a new model every week, and what one call has left in the cluster the next one finds there: "
            "kubectl create refuses an object that exists, and kubectl annotate and kubectl label a value that is set, "
            "unless they are told to overwrite it"
        )


@check(points=4, needs=replaces_the_old, owns="model", domains=("ckad/deployment", "cka/workloads-and-scheduling"))
async def updates_without_a_failure(lab: Lab) -> None:
    """Of the 20,000 requests of that load (160 a second) not one fails.

    Every request opens a connection of its own, as those of many clients do. A request fails if no connection is made,
    if no answer comes within 10 s, or if the answer's status is not 200. The load ends early once one has failed. From
    15 s after the update on `./deploy` tries an image that can't be pulled, of which clients notice as little. Pods
    that waited before they end (preStop) still do so after the update, for at least as long.
    """
    update = await lab.once(updated)
    unharmed, later = update.unharmed, not update.report.window(0, update.until).failed
    expect(unharmed).because(
        ""
        if unharmed.ok
        else "the update itself lost none. These were lost while ./deploy tried an image that can't be pulled, or went "
        "back: no good pod has to go for that, neither on the way forward (maxUnavailable) nor on the way back"
        if later
        else await why_lost(lab, await lab.once(deployment_before), update.report)
    )
    expect(update.waits).because(
        "an update ends the pods of the one before: those of this one have no preStop wait any more, or a shorter one, "
        "so it lost nothing, and the next one will. A pod's grace period counts from its deletion and ends the wait, "
        "too. Compare kubectl get deployment model -o yaml before and after ./deploy"
    )


@check(points=2, needs=updates_without_a_failure, owns="model", domains=("ckad/observability-and-maintenance",))
async def broken_never_serves(lab: Lab) -> None:
    """While `./deploy IMAGE` tries v3-broken, an image that can't load its model, no request fails.

    Its tag is the one that the registry did not have before, and v1 has been put in again without `./deploy`. 25
    requests a second go on until 5 s after the program's end (60 s at most); a pod of the Deployment must really have
    tried the image.
    """
    trial = await lab.once(tried)
    expect(trial.begun).because(
        "that an image is good shows only where it runs; a program that refuses it by its name, or because that has "
        "failed before, proves nothing: what the registry did not have then it has now. Or it ended before the rollout "
        "began, and its last lines say why: what runs now somebody else has put in, past ./deploy, and a server-side "
        "apply refuses to overwrite that without --force-conflicts. Let the rollout of the Deployment begin, and let "
        "the pod's own readiness decide"
    )
    expect(trial.unharmed).because(
        "a pod of v3-broken was ready, so it got requests, and the rollout went on to delete good pods for it. Its "
        "process lives and GET /healthz says 200; only GET /readyz knows that there is no model (503). However long a "
        "probe waits, it must ask the right question: kubectl get deployment model -o yaml | grep -A6 readinessProbe"
        if trial.was_ready
        else "no pod of v3-broken was ever ready, so what was lost was lost on the good pods: on the way forward "
        "(maxUnavailable, strategy Recreate) or on the way back. Going back needs no deletion: kubectl rollout undo "
        "scales the old ReplicaSet up and the broken one down, by the same rules as an update"
    )


@check(points=2, needs=broken_never_serves, owns="model", domains=("ckad/deployment", "cka/troubleshooting"))
async def rolls_back(lab: Lab) -> None:
    """`./deploy` with that broken image exits with another code than 0 within 60 s, and v1 runs again as before.

    When it has ended the Deployment has the image from before the call again. At most 20 s later all its pods are
    ready with that, and no pod of the broken image is left but those that are being deleted. The server is the given
    one, in no fewer pods, and the Service leads to these alone. It is the same with the image that the registry did
    not have, after which v2 runs again.
    """
    trial = await lab.once(tried)
    if absent := (await lab.once(updated)).absent:
        expect(absent.refused).because(
            "no pod of that image ever starts (kubectl get pods: ErrImagePull, ImagePullBackOff), so the update does "
            "not become healthy, for whatever reason, and the pipeline has to hear of it in time"
        )
        expect(absent.back).because(
            "the image can't be pulled, and what ran before is to run again as after any other update that fails, and "
            "first of all in the Deployment, before the program ends: a pod that goes on trying is the next release's "
            "trouble. kubectl rollout undo deployment/model"
        )
    expect(trial.refused).because(
        "kubectl set image and kubectl apply succeed as soon as the API server has stored the wish. kubectl rollout "
        "status waits, and ends with 1 once progressDeadlineSeconds (default: 600) or its --timeout are over. The "
        "program must keep that verdict: after `status || undo` the exit code is that of the undo, which is 0"
        if trial.stopped_after is None
        else f"it still ran after {WITHIN} s and was stopped. A rollout without progress counts as failed only after "
        "progressDeadlineSeconds, by default 600, and kubectl rollout status waits that long unless it has a --timeout"
    )
    expect(trial.back).because(
        "a rollout that fails stays as it is: Kubernetes never goes back by itself, and the broken image is tried in "
        "each new pod. kubectl rollout undo deployment/model returns to the revision before, whatever that was and "
        "whoever put it in; the manifests in a folder may be older, what one call has noted there the next one does "
        "not find, and what it has noted elsewhere need not be what runs now. The Deployment itself knows. What is to "
        "happen after the program's end may never happen. See kubectl rollout history deployment/model"
    )
    expect(trial.own).because(OTHERS)
