"""The checks: what the API server makes of pods of the checker's own, and what the program has."""

from mlops_lab.checks import check, equal_to, expect, holds, observe, quantity
from mlops_lab.kit import presence
from mlops_lab.kit.inside import settled
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn
from .trial import Trial, tried

D = drawn(Drawn, __file__)
_FOLLOWED_WITHIN = 8.0  # s until what a quota counts as used follows pods that have gone
_DOMAINS = ("ckad/environment-configuration-and-security",)


@check(points=2, owns="limits", domains=_DOMAINS)
async def nobody_is_without_bounds(lab: TaskLab) -> None:
    """A pod that says nothing gets the defaults; the greatest limit is allowed, a greater one refused."""
    await presence.exists(lab, "LimitRange", D.limits, "it decides over containers that say nothing", others=True)
    silent = await tried(lab, {})
    expect(holds(silent.made is not None, "a pod that says nothing may be made", silent.refused)).because(
        "a quota asks each pod to say what it counts: the LimitRange has to say it for those that don't"
    )
    for field, resource, wanted in (
        ("requests", "cpu", f"{D.cpu}m"), ("requests", "memory", f"{D.memory}Mi"),
        ("limits", "memory", f"{D.memory_limit}Mi"),
    ):  # fmt: skip
        seen = ((silent.made or {}).get(field) or {}).get(resource)
        expect(observe(f"its {field}.{resource}", seen, equal_to(wanted))).because(
            "defaultRequest is for requests and default for limits; a request that nobody names is the limit"
        )
    greatest = await tried(lab, {"limits": {"memory": f"{D.memory_most}Mi"}, "requests": {"memory": "8Mi"}})
    expect(holds(greatest.made is not None, f"a limit of {D.memory_most}Mi is allowed", greatest.refused)).because(
        "max is the greatest limit that is allowed"
    )
    greater = await tried(lab, {"limits": {"memory": f"{D.memory_most + 1}Mi"}, "requests": {"memory": "8Mi"}})
    refused = "maximum memory usage per Container" in greater.refused
    expect(holds(refused, f"a limit of {D.memory_most + 1}Mi is refused", greater.refused or "it is allowed")).because(
        "max is said of type Container; of type Pod it is about all containers together"
    )


@check(points=2, owns="quota", domains=_DOMAINS)
async def the_quota_holds(lab: TaskLab) -> None:
    """The quota has its three bounds, and a pod for which too little is left is refused."""
    found = await presence.exists(lab, "ResourceQuota", D.quota, "it counts the namespace's pods", others=True)
    hard = found["spec"].get("hard") or {}
    for names, wanted in (
        (("requests.cpu", "cpu"), f"{D.cpu_all}m"), (("limits.memory",), f"{D.memory_all}Mi"),
        (("pods", "count/pods"), str(D.pods_all)),
    ):  # fmt: skip
        seen = next((hard[each] for each in names if each in hard), None)
        expect(observe(names[0], seen, equal_to(wanted))).because(
            "requests.cpu and cpu are the same; memory is requests.memory, and limits.memory another sum"
        )
    some = found["spec"].get("scopes") or found["spec"].get("scopeSelector")
    expect(holds(not some, "it counts all pods", f"it counts those of {some}")).because(
        "scopes make a quota count some pods only, such as those that end by themselves after a time"
    )

    async def greedy() -> Trial:
        now = await lab.objects.named("ResourceQuota", D.quota).present()
        used = quantity((now.get("status") or {}).get("used", {}).get("requests.cpu") or 0) * 1000
        more = max(1, D.cpu_all - int(used) + 1)
        wants = {"cpu": f"{more}m", "memory": "16Mi"}  # limits of both, lest a default limit be below what it requests
        return await tried(lab, {"requests": {**wants, "memory": "8Mi"}, "limits": wants})

    seen = await lab.time.eventually(  # what is used follows pods that have just gone
        greedy, lambda it: "exceeded quota" in it.refused,
        expected="a pod that requests more CPU than is left is refused",
        shown=lambda it: it.refused or "it may be made", within=_FOLLOWED_WITHIN,
    )  # fmt: skip
    expect(seen).because("kubectl describe quota shows what is used, and of how much")


@check(points=2, domains=_DOMAINS)
async def the_program_says_what_it_needs(lab: TaskLab) -> None:
    """All pods of the Deployment run, with the requests and the limit that it says itself."""
    pods = await settled(lab, D.app, within=60)
    expect(observe(f"pods of Deployment {D.app}", len(pods), equal_to(D.pods))).because(
        "pods that a quota or a LimitRange refuses are told of in the events of the ReplicaSet"
    )
    template = (await lab.objects.deployment(D.app).present())["spec"]["template"]
    for whose, pod in (("the Deployment", template), *(("its pods", each) for each in pods)):
        has = pod["spec"]["containers"][0].get("resources") or {}
        for field, resource, wanted in (
            ("requests", "cpu", f"{D.own_cpu}m"), ("requests", "memory", f"{D.own_memory}Mi"),
            ("limits", "memory", f"{D.own_limit}Mi"),
        ):  # fmt: skip
            seen = (has.get(field) or {}).get(resource)
            expect(observe(f"{field}.{resource} of {whose}", seen, equal_to(wanted))).because(
                "requests are what the scheduler keeps free for it, limits what the kernel lets it have; what a "
                "LimitRange fills in is in the pods, and not in the Deployment"
            )
