"""Lab 09: what clients see while the learner's own `promote` and `rollback` move the alias `production`.

It is one story, told in the order of the checks: a run is promoted, a broken one refused, another one promoted, and
then rolled back to the first; and once more. The runs are the checker's own, drawn for each time. It puts the alias to
version 1 at the beginning, and at the end leaves registry, experiment and Deployment as it found them.
"""

from __future__ import annotations

from mlops_lab.checks import Lab, at_most, check, equal_to, expect, holds, observe
from mlops_lab.kit.answering import must_answer
from mlops_lab.kit.autoscalers import autoscaled_below
from mlops_lab.kit.deployments import exists
from mlops_lab.kit.losses import SEE_EVIDENCE
from mlops_lab.kit.prerequisites import must
from mlops_lab.kit.registry import PRODUCTION, tags

from .as_found import back_as_found, found
from .models import answers, ask, first_values, furthest
from .scenario import FOLLOW_WITHIN, promoted, refused, rolled_back
from .unready import unready
from .why import why_lost

ANSWER_WITHIN = 15  # s for the Service to answer at all


@check(points=2, domains=("ckad/environment-configuration-and-security", "ckad/observability-and-maintenance"))
async def serves_production(lab: Lab) -> None:
    """Service `model` answers POST /predict on port 80 with the values of version 1, which has the alias `production`.

    Two pods or more of the Deployment `model` are ready within 60 s, and no others answer; no autoscaler may leave
    fewer. A pod like them whose server finds no model is not ready. The checker begins at version 1: if the alias means
    another, it moves it there first, and at its end back again.
    """
    await exists(lab, apply="kubectl apply -f model.yaml")
    low = await autoscaled_below(lab, 2)
    must(
        holds(not low, "no autoscaler that may leave fewer than 2 pods", "; ".join(low)),
        "an autoscaler sets spec.replicas, whatever the manifest says: in a quiet hour its minReplicas is what is "
        "left, and that is 1 where it is not set",
    )
    values = await lab.once(first_values)
    was = await lab.once(found)
    try:
        if was.aliases.get(PRODUCTION) != was.first:
            await lab.platform.mlflow.set_alias(PRODUCTION, was.first)
        ready = await lab.objects.deployment("model").rolled_out(pods=2, within=60)
        expect(ready).because(
            "a pod is ready once its server has loaded what the alias means. kubectl logs deployment/model says what "
            "it looks for and what MLflow answers: it needs MLFLOW_TRACKING_URI and MODEL_NAME (ConfigMap platform), "
            f"and the alias must be {PRODUCTION}, spelt like that"
        )
        answer = await lab.time.eventually(
            lambda: ask(lab),
            lambda answer: answer.status == 200,
            expected="POST /predict answers with status 200",
            shown=lambda answer: f"status {answer.status} {answer.error}".strip(),
            within=ANSWER_WITHIN,
        )
        selected = len(await lab.objects.pods_of("model"))
        expect(answer).because(
            f"the selector of Service model matches {selected} pods. Its labels must be those of the pod template, and "
            "its targetPort the port that the server listens on: 8080. kubectl get endpointslices shows both"
        )
        await must_answer(lab)
        answered = await lab.time.eventually(
            lambda: answers(lab),
            lambda said: all(version == was.first for version, _ in said),
            expected=f"model_version {was.first} in the answers",
            shown=lambda said: ", ".join(sorted({version or "none" for version, _ in said})),
            within=FOLLOW_WITHIN,
        )
        expect(answered).because(
            f"the alias {PRODUCTION} means version {was.first}, and a server that follows it asks MLflow every "
            "MODEL_POLL_SECONDS. With MODEL_VERSION set it never asks: the version is then what the manifest says"
        )
        apart = furthest(answered.value, values)
        expect(observe("largest difference from that version's own values", apart, at_most(1e-6))).because(
            "the same model gives the same values wherever it runs; these come from another one"
        )
        expect(await unready(lab)).because(
            "a pod that is ready gets requests, and its server can answer none before it has loaded what the alias "
            "means. Only GET /readyz knows whether there is a model: ask it by a readinessProbe"
        )
    except BaseException:
        await back_as_found(lab)
        raise


@check(points=3, needs=serves_production, owns="model", domains=("ckad/deployment",))
async def promotes(lab: Lab) -> None:
    """`./promote RUN_ID` with a new run exits 0 within 60 s, and from then on every answer is that model's.

    It is called 3 s after the start of a load of 20 requests a second, which ends 5 s after the program. Then the
    checker moves the alias itself, to the version before: the pods follow within 60 s.
    """
    step = await lab.once(promoted)
    expect(step.exited).because(
        "moving the alias is one request; then the servers look at it, download, load, and change over. The program "
        "has to wait for that and to see it. If the pods still serve what they did: do they follow the alias "
        "(MODEL_ALIAS) or a fixed version (MODEL_VERSION)? kubectl logs deployment/model tells of each change"
    )
    expect(step.served).because(
        "whoever calls the program believes its exit code: 0 has to mean that the new model serves, not that the alias "
        "has moved. Servers ask MLflow every MODEL_POLL_SECONDS, and each pod by itself; so ask all of them before "
        "the exit (GET /version, or model_info in GET /metrics), not one"
    )
    expect(step.right).because(
        "the version that the alias means must be made of the model that the run has logged: runs/get names it under "
        "outputs.model_outputs, and the version's source is models:/MODEL_ID"
    )
    expect(step.follows).because(
        f"the pods are to follow the alias {PRODUCTION}, whoever moves it: a server with MODEL_ALIAS asks MLflow what "
        "it means, every MODEL_POLL_SECONDS. Where the program sets a version in the Deployment and moves the alias "
        "beside that, the registry says one thing and the cluster does another"
    )


@check(points=3, needs=promotes, owns="model", domains=("ckad/deployment", "ckad/services-and-networking"))
async def promotes_without_a_failure(lab: Lab) -> None:
    """Of the requests of that load not one fails.

    A request fails if no connection is made, if no answer comes within 10 s, or if the answer's status is not 200.
    """
    step = await lab.once(promoted)
    expect(step.unharmed).because("" if step.unharmed.ok else await why_lost(lab, step.statuses))


@check(points=2, needs=promotes, domains=("ckad/observability-and-maintenance",))
async def keeps_lineage(lab: Lab) -> None:
    """From the version that serves, MLflow leads to the run and to its data: `run_id`, and the tag `data.digest`.

    The digest is that of the data set which the run has logged as its input.
    """
    step = await lab.once(promoted)
    run, version = step.run, step.version
    expect(observe(f"run_id of version {version['version']}", version.get("run_id"), equal_to(run.run_id))).because(
        "model-versions/create takes run_id: with it who looks at the version finds parameters, metrics and data of "
        "the training, and without it a file. MLflow does not check that it is the run which logged the model"
    )
    expect(observe("its tag data.digest", tags(version).get("data.digest"), equal_to(run.digest))).because(
        "runs/get has the digest under inputs.dataset_inputs, and it belongs to this run alone. As a tag of the "
        "version it stays in the registry when runs are cleared away, and tells at once which models a bad day is in"
    )


@check(points=3, needs=promotes_without_a_failure, owns="model", domains=("ckad/observability-and-maintenance",))
async def refuses_broken(lab: Lab) -> None:
    """`./promote RUN_ID` with a run whose model can't be loaded exits with another code than 0 within 60 s.

    The checker has moved the alias to version 1 by hand before. Meanwhile none of 20 requests a second fails, and all
    are answered by version 1, which the alias means in the end. A run that has logged no model is refused as well. Then
    the checker moves the alias to the version that was promoted first, and the pods follow within 60 s.
    """
    step = await lab.once(refused)
    expect(step.unharmed).because(
        "the server loads a new version beside the old one and goes on with the old one when that fails, so a broken "
        f"model need not cost a request; {SEE_EVIDENCE}"
    )
    expect(step.exited).because(
        "whoever calls the program has only its exit code, and here the model did not come to serve. Bound the wait; "
        "the servers also say at once that they failed (model_reload_failures_total in GET /metrics). And mind that "
        "the exit code of a script is that of its last command, which may be the way back"
    )
    expect(step.alias).because(
        "the pods that run have a model and go on, so nothing is seen of it for now. But a pod that starts, after a "
        "crash or to carry more load, takes what the alias means, and never becomes ready. Who moves the alias and "
        "fails has to move it back: to what it meant when the program began, whoever had moved it there. What the "
        "program has noted itself may be older"
    )
    expect(step.served).because(
        "that version was in production when the program began; kubectl logs deployment/model tells what the "
        "servers loaded since"
    )
    expect(step.without).because(
        "the run has no outputs.model_outputs: nothing can be registered, and nothing comes to serve. The pipeline "
        "that asked for a promotion hears by the exit code that there was none"
    )
    expect(step.follows).because(
        "the pods follow the alias, also after a version that they could not load; kubectl logs deployment/model tells "
        "when they looked"
    )


@check(points=3, needs=refuses_broken, owns="model", domains=("ckad/deployment", "cka/troubleshooting"))
async def rolls_back(lab: Lab) -> None:
    """After `./promote` with another run, `./rollback` exits 0 within 60 s, and the version before serves again.

    Between the two a run whose model can't be loaded is refused once more, and the alias means what it meant. What
    comes back is the version itself, not a copy. None of 20 requests a second fails during the rollback. After that the
    checker moves the alias by hand and has a run promoted: `./rollback` brings back the version that the hand had put
    there. At the end one more run is promoted. While a pod does not reach MLflow, `./rollback` ends within 60 s, and
    with 0 only if every pod serves what it brought back. While a pod does not, `./promote` exits with 0 only if every
    pod serves the new version; else it leaves the alias where it was. No version is removed.
    """
    step = await lab.once(rolled_back)
    expect(step.again).because(
        "after a candidate that was refused the next good one has to come through. The servers take another version "
        "at their next look, whatever failed before: was the new version registered, did the alias move to it, and "
        "does the program wait for longer than MODEL_POLL_SECONDS? And one that is refused leaves the alias on what "
        "it meant when the program began, not on the version before that, which a rollback would bring back"
    )
    expect(step.exited).because(
        "a rollback is a promotion of what is known to be good: move the alias, and wait until all pods serve it. If "
        "it failed, did the alias move to a version that can be loaded?"
    )
    expect(step.served).because(
        "what was in production before is not version 1, and not the number before: a candidate that was refused has "
        "a number too, and was never in production. So the program has to write down what a model replaced once it "
        "serves: as a tag of the version, or as a second alias. And an alias that is gone changes nothing: servers "
        "that find none go on with what they have, and those that start have nothing"
    )
    expect(step.same).because(
        "the registry is a history: that version 2 served, then 4, then 2 again is what happened. A new version of the "
        "same model hides it, and whoever looks for answers of version 2 finds half of them. Of one that is removed "
        "nobody learns any more what it was made of, nor can a hand bring it back"
    )
    expect(step.unharmed).because("" if step.unharmed.ok else await why_lost(lab, step.statuses))
    expect(step.next_time).because(
        "the version before is the one that the alias meant when the promotion began, whoever had moved it there: a "
        "promotion, a rollback, or a hand. What a program notes of its own promotions alone is another history; at a "
        "promotion it has to write down what it replaces. And a hand may move the alias to any version, also to one "
        "that was refused, so none is removed"
    )
    expect(step.everywhere).because(
        "one of the pods can't get the version, and answers its share of the requests with the old one: not every pod "
        "serves what was promoted, or brought back. So each has to be asked by itself, all of them that there are, and "
        "the exit code is 0 only if all serve it. The wait for them has to end, in ./rollback as in ./promote; and a "
        "way back that worked is no promotion that did"
    )
