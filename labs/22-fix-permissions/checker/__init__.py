"""Lab 22: who the steps of a pipeline are to the API server, what they may do, and whether it runs.

Rights are asked of the API server, both ways: all that the steps need, and a few hundred things that they don't. Who a
step is, a pod of its own template says. Then the checker runs the pipeline with flights of its own.
"""

from __future__ import annotations

from dataclasses import replace

from mlops_lab.checks import Lab, check, expect, holds
from mlops_lab.kit import presence
from mlops_lab.kit.answering import must_answer
from mlops_lab.kit.drawn import drawn
from mlops_lab.kit.given import around_is_given, given_service, must_be_given
from mlops_lab.kit.prerequisites import must
from mlops_lab.kit.rights import allowed, allowed_to

from .accounts import ACCOUNTS, NEEDED, met, others, strangers, strangers_may_not, tokens_of_steps, too_much
from .given import START, key, pipeline_is_given, room_for_runs
from .identity import identities
from .people import people
from .rows import answer, flights, table
from .rules import bound
from .scenario import run

_DOMAINS = ("cka/cluster-architecture", "ckad/environment-configuration-and-security")
_HEARD_WITHIN = 5.0  # s
_STAYS = "programs, schedules, data and the service were to stay: `lab reset` brings them back"


@check(points=2, owns="CronJobs", domains=_DOMAINS)
async def acts_as_itself(lab: Lab) -> None:
    """The pods of each CronJob are its own ServiceAccount to the API server, by the token made for the pod.

    The checker starts a pod of each CronJob's template that asks the API server who it is, instead of its work.
    """
    for cronjob in ACCOUNTS:
        await presence.exists(lab, "CronJob", cronjob, "the pipeline's CronJobs were to stay: lab reset")
    expect(await identities(lab)).because(
        "a pod acts as the ServiceAccount that its spec names, and as `default` if it names none. The kubelet puts a "
        "token into /var/run/secrets/kubernetes.io/serviceaccount, which is made for this pod and renewed, unless "
        "automountServiceAccountToken of the pod says no, or that of its ServiceAccount where the pod says nothing. A "
        "token that is copied there lives on when nobody needs it any more"
    )


@check(points=2, domains=(*_DOMAINS, "cka/troubleshooting"))
async def may_do_its_work(lab: Lab) -> None:
    """Each account may do all that its step asks the API server for."""
    for account in NEEDED:
        await presence.exists(lab, "ServiceAccount", account, "pods can only run as one that is there", others=True)
    # The API server hears a moment later of what has just been applied.
    seen = await lab.time.eventually(
        lambda: _missing(lab), lambda missing: not missing, expected="", shown="; ".join, within=_HEARD_WITHIN
    )
    missing: list[str] = seen.value
    number = sum(map(len, NEEDED.values()))
    everything = f"all {number} things that the steps ask for are allowed"
    found = holds(not missing, everything, "; ".join(missing[:3]), evidence=missing[3:])
    expect(replace(found, timed=False)).because(
        "the subject of a binding is an account by its name and namespace (its own where none is said); a rule is for "
        "one API group, for the verbs that it lists, and with resourceNames for these objects alone. Ask as somebody: "
        "kubectl auth can-i VERB RESOURCE/NAME --as=system:serviceaccount:NAMESPACE:ACCOUNT, and what is bound to "
        "whom: kubectl get rolebindings -o wide"
    )


@check(
    points=3,
    needs=(acts_as_itself, may_do_its_work),
    owns="the pipeline",
    domains=("cka/troubleshooting", "ckad/design-and-build"),
)
async def runs_to_its_end(lab: Lab) -> None:
    """A run of CronJob `nightly` completes within 150 s, and Service `model` then has the model of its flights.

    The flights are the checker's, in ConfigMap `flights`; all is put back afterwards. The pipeline's programs, their
    schedules, the Deployment and the Service are as they were, and no quota stops the runs that come.
    """
    rows = flights(drawn(lab, "flights"))
    found = await run(lab, table(rows), answer(rows, key()))
    expect(found.ended).because(
        "./run in your folder starts the pipeline and shows what it and its steps say; kubectl describe job says what "
        "keeps one from having a pod"
    )
    expect(found.served).because(
        "the run has ended well, and the model is not the one of the flights that were there: a step that is not what "
        "it was, or that goes on after a refusal, ends well, too"
    )
    expect(await pipeline_is_given(lab)).because(_STAYS)
    must(await around_is_given(lab, START), _STAYS)
    must(await given_service(lab, START), _STAYS)
    await must_be_given(lab, START)
    await must_answer(lab)
    expect(await room_for_runs(lab)).because(
        "each run makes four Jobs, and Jobs that have ended are counted, too: nightly keeps its last three that ended "
        "well and one that failed, and the Jobs of a run go with it. A run after the first ones would stop midway"
    )


@check(points=3, needs=(acts_as_itself, may_do_its_work), domains=_DOMAINS)
async def may_do_no_more(lab: Lab) -> None:
    """None of the accounts may do anything else, here or elsewhere, and nobody else any of it.

    The checker asks the API server about some hundred things for each, with names that it draws, about all that the
    roles here speak of, and for others: `default`, an account that is drawn, those that are here or of other
    namespaces, and all that are bound to a role here: accounts, users and groups.
    """
    names = others(drawn(lab, "names"))
    said = await bound(lab)
    asked = {(account, ""): too_much(account, names, said) for account in NEEDED}
    here = lab.objects.named("ServiceAccount", "default").namespace
    bindings = await lab.objects.all("RoleBinding")
    present = met(here, await lab.objects.all("ServiceAccount"), bindings, names.account)
    rights = strangers_may_not(said, tokens_of_steps(await lab.objects.all("Secret")))
    asked |= dict.fromkeys((*strangers(names), *present), rights)
    more = []
    for (account, home), own in asked.items():
        who = f"{account} of namespace {home}" if home else account
        more += [f"{who} may {each}" for each in await allowed(lab, account, own, home=home)]
    persons = people(bindings, names.account)
    for who, one in persons.items():
        more += [f"{who} may {each}" for each in await allowed_to(lab, one, rights)]
    number = sum(map(len, asked.values())) + len(persons) * len(rights)
    nothing = f"none of {number} other things is allowed"
    expect(holds(not more, nothing, "; ".join(more[:3]), evidence=more[3:12])).because(
        "rights add up over all bindings, and nothing takes one away again: look for each binding whose subject is the "
        "account, a user, or a group that it is in (kubectl get rolebindings,clusterrolebindings -A -o wide). A rule "
        "without resourceNames is for all objects of the kind. kubectl auth can-i --list "
        "--as=system:serviceaccount:NAMESPACE:ACCOUNT shows the sum"
    )


async def _missing(lab: Lab) -> list[str]:
    """What an account may not do and should, in words."""
    found = []
    for account, needed in NEEDED.items():
        has = await allowed(lab, account, needed)
        found += [f"{account} may not {each}" for each in needed if each not in has]
    return found
