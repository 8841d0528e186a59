"""Lab 26: the checker plays passengers, the warehouse and Alertmanager, and follows what the learner's loop does.

Stages, each run once: an alert that is told again and again while the warehouse's labels are spoilt, one while others
are, one whose run the checker ends, one with nothing new to learn from, a control of ordinary traffic, and a real
drift. The model in service, the warehouse and the alias are afterwards as they were.
"""

from __future__ import annotations

from mlops_lab.checks import Lab, Observation, check, expect
from mlops_lab.kit.deployments import NOTHING_RUNS, exists, owned_pods
from mlops_lab.kit.next_pods import WRITTEN_BY_HAND, scraped_as_before
from mlops_lab.kit.prerequisites import must

from .days import days
from .scenario import READY_WITHIN, cut_off, first_version, other_part, real_drift, repeated_alert, second_alert
from .versions import serves
from .warehouse import ANSWERS_WITHIN

ANOTHER = (
    "an alert that began after the last run had ended is another drift: what was done about the last is no reason to "
    "do nothing. "
)
OF_A_GROUP = (
    "In its message it is neither the first nor the last: these have gone on since before that run, and a fourth is "
    "over. Each alert of a message has a status and a startsAt of its own, whatever its fingerprint, which is the same "
    "each time that the same feature drifts"
)
AFTER_POISON = "It is a FeatureDrift, alone in its message. The last run refused its rows, and has ended, too"
OF_PREDICTIONS = (
    "This one is PredictionDrift, and no FeatureDrift comes with it: either of them is a drift. It began some seconds "
    "after that end. The checker had ended the last run itself, and one that is CANCELED is as much over as one that "
    "SUCCEEDED or FAILED"
)
SEVERAL = (
    "one alert is new, and one drift gets one run. How many alerts of its message are firing, how often that comes, "
    "and whether the run fails or somebody ends it, is no reason for another"
)


def of_a_run(seen: Observation, why: str) -> str:
    """Why a new alert got no run, or more than one."""
    return SEVERAL if not seen.ok and len(seen.value or ()) > 1 else ANOTHER + why


@check(points=1, domains=("ckad/services-and-networking",))
async def serves_the_first_version(lab: Lab) -> None:
    """Service `model` answers from the version in production on every pod, and Service `alerts` answers.

    The checker first waits until no alert about drift fires and no run is under way (240 s at most, then it ends the
    run), puts the alias `production` on the version that the lab put there, if it is elsewhere, and waits up to 150 s.
    """
    for name in ("model", "alerts"):
        await exists(lab, name, why=f"{NOTHING_RUNS}kubectl apply -k .")
    first = await lab.once(first_version)
    expect(first).because(
        "the Job first-model registers three versions and gives the second the alias; kubectl logs job/first-model "
        "says how far it is. Do not delete it, nor that version"
    )
    for name in ("model", "alerts"):
        seen = await lab.objects.deployment(name).rolled_out(within=READY_WITHIN)
        expect(seen).because(
            "kubectl get pods, kubectl describe pod and kubectl logs say what holds a pod up; a pipeline that can't be "
            "compiled shows in kubectl logs deploy/alerts --container compile"
        )
    expect(await serves(lab, first.value, within=30)).because(
        "the Service sends to the pods that its selector matches, at targetPort; the server listens on 8080 and "
        "follows MODEL_ALIAS of MODEL_NAME. kubectl get endpointslices shows addresses and port"
    )
    answered = await lab.time.eventually(
        lambda: lab.traffic.get("alerts", "/", within=5), lambda answer: answer.status > 0, within=ANSWERS_WITHIN,
        expected="Service alerts answers GET /, with any status",
        shown=lambda answer: f"status {answer.status} (0: no answer) {answer.error}".strip(),
    )  # fmt: skip
    expect(answered).because(
        "Alertmanager posts to http://alerts.NAMESPACE/ on port 80: selector and targetPort must lead to the receiver"
    )


@check(points=4, needs=serves_the_first_version, owns="model", domains=("ckad/design-and-build",))
async def starts_one_run(lab: Lab) -> None:
    """An alert starts one run in the pipelines experiment named like the namespace, however often it is told.

    The checker posts what Alertmanager would: a `resolved` message and alerts of other names (no run), one of them
    about the model's predictions, then a firing one three times at the same moment for each pod of the receiver,
    beside one about another feature, once more while the run goes on, after its end, and after the receiver's pod was
    replaced; after the end also one about another feature, which moved before that, and the first one beside an alert
    that began after the end and is over. A message that is answered by an error comes again at once.
    """
    story = await lab.once(repeated_alert)
    expect(story.calm).because(
        "send_resolved: the message has `status: resolved` when an alert is over, for the group and for each alert in "
        "it. There is nothing to do then; nor is there when neither FeatureDrift nor PredictionDrift is the alert's "
        "name, as a whole, letter for letter: Alertmanager posts whatever concerns the namespace, and clocks drift, "
        "too. What a message starts may come up to 25 s later"
    )
    expect(story.started).because(
        "look at what arrives: kubectl logs deploy/alerts. A run counts if it is in the experiment named by "
        "KFP_EXPERIMENT. An answer of 500 says why in the same log"
    )
    expect(story.once).because(
        "Alertmanager repeats a message until the alert is over, tells each group by itself, and asks again when it "
        "got no 200: at least once, never exactly once. So look for what has been done already: is a run under way, "
        "and did the newest one end after the startsAt of each alert that is firing? A message is `firing` when one of "
        f"its alerts is; others in it may be over. {story.when}"
    )


@check(points=3, needs=starts_one_run, owns="model", domains=("ckad/design-and-build",))
async def refuses_poison(lab: Lab) -> None:
    """That run, and that of another alert, found weeks in which `late` says the opposite: none learns, or serves.

    In one of them these are the weeks to learn from, in the other the held-out one. Each fetched the warehouse's days
    and made no model of them; while it goes on and when it has ended, the alias is where it was, and every pod still
    answers with the version from before. The other alert stands in the middle of a message about
    four.
    """
    for stage in (repeated_alert, other_part):
        story = await lab.once(stage)
        if stage is other_part:
            expect(story.once).because(of_a_run(story.once, OF_A_GROUP))
        expect(story.ended).because("the engine's page shows what a run waits for: lab open pipelines")
        expect(story.made).because(
            "a run that breaks before it has seen the days refuses everything, and proves nothing. Its first failed "
            "step's log says why: lab open pipelines"
        )
        part = (await lab.once(days)).parts[0 if stage is repeated_alert else 1]
        why = (
            f"the labels of the {'weeks to learn from' if part == 'learnt' else 'held-out week'} were turned round. A "
            "comparison by spoilt labels, or of a spoilt candidate, may come out either way: only a look at the data "
            "before anything is learnt helps. `validate` knows from the model in service what late flights look like, "
            "for rows and for held_out; what must wait for it says .after(...)"
        )
        expect(story.learnt).because(why)
        expect(story.kept).because(why)


@check(points=3, needs=refuses_poison, owns="model", domains=("ckad/deployment",))
async def refuses_worse(lab: Lab) -> None:
    """A new alert starts a run again; its candidate is not better than the model in service, and never serves.

    Before it another alert starts a run, which the checker ends as soon as it has begun, and, told again, no other. The
    alert is about the predictions, and began within ten seconds of that run's end. The warehouse is at the day of the
    first run again, whose labels are right now, and at which its four weeks make no better model. So this run trains
    one. The alias and the answers are looked at while it goes on, too.
    """
    before = await lab.once(cut_off)
    expect(before.once).because(of_a_run(before.once, AFTER_POISON))
    expect(before.ended).because("the checker has asked the engine to terminate it; lab open pipelines shows its state")
    story = await lab.once(second_alert)
    expect(story.once).because(of_a_run(story.once, OF_PREDICTIONS))
    expect(story.ended).because("the engine's page shows what a run waits for: lab open pipelines")
    expect(story.made).because(
        "that nothing worse serves is an achievement only where something was trained and compared: these are whole "
        "rows. They were spoilt when the first run fetched these days: what the engine takes from its cache is that. "
        "The first failed step's log says why there is no candidate: lab open pipelines"
    )
    expect(story.kept).because(
        "what serves for half a minute and is taken back has served. A model that looks good on its own training rows "
        "may be worse than what serves, and so may one that is above a fixed bar: the week may be an easy one. What "
        "serves is the version with the alias, and not the first one or the newest: those are trials. Let "
        "`evaluate` compare both on the held-out days, and let nothing after it happen, neither the alias nor a "
        "rollout, unless it said true: dsl.If(judged.outputs['Output'] == True)"
    )


@check(points=4, needs=refuses_worse, owns="model", domains=("ckad/observability-and-maintenance",))
async def one_drift_one_run(lab: Lab) -> None:
    """Ordinary traffic starts nothing; then a summer's days fire alerts within 180 s, and these exactly one run.

    200 flights a request, 2 requests a second of the days that the model knows, then 5 of two days of the summer that
    are drawn. Alertmanager tells you itself; several alerts fire for this one drift. Pods that come later are scraped,
    too: the template of Deployment `model` has the annotations of its pods for Prometheus.
    """
    must(
        scraped_as_before(await lab.objects.deployment("model").present(), await owned_pods(lab)),
        f"{WRITTEN_BY_HAND}, and of what nobody scrapes no drift is seen",
    )
    story = await lab.once(real_drift)
    expect(story.watched).because(
        "drift is computed by Prometheus from the server's histograms, and it scrapes what asks for it: the pods' "
        'annotation prometheus.io/scrape: "true" (in the pod template), and prometheus.io/port. See the query '
        "app_of:model_rows:increase2m in lab open prometheus"
    )
    expect(story.calm).because("on traffic as it was trained on, no alert fires; so no run is due")
    expect(story.fired).because("query app_of:model_psi:2m and ALERTS in lab open prometheus")
    expect(story.once).because(
        "one drift moves many things: each feature is an alert of its own, and predictions follow some seconds later "
        "in another group. So several messages with several fingerprints arrive for one drift, at once and during the "
        f"run and after. {story.when}"
    )


@check(points=5, needs=one_drift_one_run, owns="model", domains=("ckad/deployment",))
async def rolls_out(lab: Lab) -> None:
    """That run ends, and its version serves: on all pods, with lineage, and with no failed request of that load.

    The version's tag `pipeline.run` names the run, `data.days` the first and the last of the three weeks.
    """
    story = await lab.once(real_drift)
    expect(story.ended).because("the engine's page shows what a run waits for: lab open pipelines")
    expect(story.moved).because(
        "the run ended and the alias stands where it stood. A candidate that was trained on the same old days can't be "
        "better now: ask the warehouse for today (GET /today), and take the last four weeks. Is it held against the "
        "model in service? A fixed bar may be too high for a hard week. Why it was not better is the tag "
        "evaluation.why of its MLflow run; why a step failed is on the engine's page"
    )
    expect(story.lineage).because(
        "who asks in a year why this model decided so needs the way back: version, run, days. `register` writes these "
        "tags if it is given dsl.PIPELINE_JOB_ID_PLACEHOLDER as pipeline_run"
    )
    expect(story.serving).because("servers follow the alias within MODEL_POLL_SECONDS; their log says `in service`")
    expect(story.unharmed).because(
        "a new version is loaded beside the old one, so moving the alias costs no request. Restarting pods does, "
        "unless new ones are ready before old ones go"
    )
