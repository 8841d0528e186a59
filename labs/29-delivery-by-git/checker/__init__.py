"""Lab 29: the checker is the team that commits to the repository, its passengers, and somebody with kubectl.

Two good commits first; then hands, sixteen faults, models that are worse, a revert, another key. Each check that
follows begins where those two ended, and the service is at the end as it was at the beginning.
"""

from __future__ import annotations

from mlops_lab.checks import Lab, Observation, check, expect
from mlops_lab.kit.rights import allowed

from . import why
from .ci import judged
from .rights import forbidden
from .scenario import broken, by_hand, followed, good, reverted, sealed, worse
from .whose import accounts

DEPLOYS = ("ckad/deployment",)
SECURES = ("ckad/environment-configuration-and-security",)
WHY = {
    "noted": why.NOTED, "served": why.SERVED, "applied": why.APPLIED, "pruned": why.PRUNED, "fields": why.FIELDS,
    "alone": why.LEFT_ALONE,
    "rolled": why.ROLLED, "opened": why.OPENED, "stopped": why.STOPPED, "traffic": why.NO_TRAFFIC,
    "leftovers": why.LEFTOVERS, "strangers": why.STRANGERS,
    "still": why.STILL, "meanwhile": why.MEANWHILE, "worse": why.WORSE, "reverted": why.REVERTED, "clear": why.IN_CLEAR,
}  # fmt: skip


def told(looks: list[tuple[Observation, str]]) -> None:
    """Each expectation with its explanation."""
    for seen, word in looks:
        expect(seen).because(WHY[word])


@check(points=3, owns="model", domains=DEPLOYS)
async def follows(lab: Lab) -> None:
    """Two commits to main that are right each serve within 120 s, and have the note `accepted`.

    They bring another key and one more sealed value, a model that is as much worse as it may be and then a better one,
    another image and number of pods, and a ConfigMap and a Service that the second takes away again, as it does a
    variable and a label of objects that stay. The first is pushed together with a commit before it that is not right.
    What a commit has not any more is gone 60 s later, what was never in the repository stays, no request fails, and
    only the team commits to main.
    """
    told((await lab.once(followed)).looks)


@check(points=2, needs=follows, owns="model", domains=DEPLOYS)
async def puts_back(lab: Lab) -> None:
    """What is changed by hand is as in the repository again within 60 s.

    Nine changes: one of Deployment `model` (pods or image), one of another field of it, one of Service `model` (port
    or selector), one of the Secret and one of a ConfigMap; and Deployment, Service, Secret and a ConfigMap are deleted.
    """
    for seen in await by_hand(lab):
        expect(seen).because(why.PUT_BACK)


@check(points=4, needs=follows, owns="model", domains=DEPLOYS)
async def stops_broken(lab: Lab) -> None:
    """A commit with a fault is refused within 120 s, and no passenger ever gets an answer by it.

    Sixteen, one for each thing that the words manifest, start, ready and answers stand for; the note says which, and
    why. One of each word comes first, then what else is about answers, then the rest, and none after five minutes. One
    of the first four is pushed together with a commit before it that is right, and is not the newest. While one of
    them is tried, Deployment `model` is scaled by hand, and is as before within 60 s. While the last one is the newest
    commit, nothing is left of what commits were tried with, all pods of yours are deleted, and Deployment `model` is
    scaled by hand. Nobody but the team commits to `main`.
    """
    told(await broken(lab, short=not lab.thorough(stops_broken)))


@check(points=2, needs=follows, owns="model", domains=DEPLOYS)
async def stops_worse_model(lab: Lab) -> None:
    """Commits whose models are worse than the one in service are refused within 120 s, and never serve.

    Two: their log loss on `holdout.json` is 0.015 to 0.022 higher, and lower than the first model's. The second is as
    good as the one in the commit before it, which was refused; one of the two has a message that begins with `Revert`.
    Then come, within 200 s, the files of the first one again, and those of an accepted commit with the key sealed anew.
    """
    told(await worse(lab))


@check(points=2, needs=follows, owns="model", domains=DEPLOYS)
async def reverts(lab: Lab) -> None:
    """A `git revert` of the last good commit serves within 120 s, though its model is worse; no request fails."""
    told(await reverted(lab))


@check(points=3, needs=follows, owns="model", domains=SECURES)
async def keeps_secrets(lab: Lab) -> None:
    """Another sealed key serves within 120 s, the old one gets 401, and no key is in the repository in clear.

    All objects that branches, tags and notes lead to are searched: for the keys as they are, in base64, in hexadecimal.
    """
    told(await sealed(lab))


@check(points=1, needs=follows, domains=("cka/cluster-architecture",))
async def has_few_rights(lab: Lab) -> None:
    """ServiceAccounts of your pods may do nothing outside of the namespace, and may not read Secrets by the API."""
    await good(lab)
    rights = forbidden([each["metadata"]["name"] for each in await lab.objects.all("Secret")])
    names = await accounts(lab)
    found = [f"{each} may {right}" for each in names for right in await allowed(lab, each, rights)]
    expected = f"of {len(rights)} rights that nobody needs here none is given to {', '.join(names) or 'any'}"
    expect(Observation(not found, expected, found[0] if found else "none is", found, tuple(found[1:6]))).because(
        why.RIGHTS
    )


@check(points=3, domains=DEPLOYS)
async def ci(lab: Lab) -> None:
    """The steps in `ci/` pass two changes that are right, and fail four that are not: worse, no YAML, keys in clear.

    One that is right brings a ConfigMap and a Service. One key stands in `stringData` of a Secret, another in `data` of
    one that is written as JSON. One model is as much worse as it may be, and one a little more than that. The steps are
    the same in `github-actions.yaml`, `gitlab-ci.yaml` and `Jenkinsfile`, and run in a clone of each change.
    """
    for seen in await judged(lab):
        expect(seen).because(why.STEPS)
