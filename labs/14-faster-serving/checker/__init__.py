"""Lab 14: how many requests a second of CPU time is worth, and whether what became faster is still right.

A pod of the checker's is the crowd (crowd.py) and knows the model's own values; another one runs the service of start/,
which is what the learner's is compared with: in turns, within the same seconds. What counts is the CPU time that the
kernel accounts to the containers: the clock on the wall says more about this machine than about a program.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
import math
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mlops_lab.checks import Lab, LabError, Observation, at_least, at_most, check, equal_to, expect, observe
from mlops_lab.measure.pods.cpu_time import running
from mlops_lab.measure.traffic.flights import difference, numbers

Object = dict[str, Any]

HERE = Path(__file__).parent
IMAGES = ("workbench:1", "tensorflow:1")
ROLLED_OUT_WITHIN = 90  # s, for pods that were applied just before
FIRST_ANSWER_WITHIN = 20  # s, until the nodes know a new pod
STARTED_WITHIN = 90  # s, for the copy with the other model, as for the pod itself
MEMORY = 1 << 30  # bytes that a container may be allowed
ANSWER_WITHIN = 10  # s for one answer
SAME = 1e-5
KNOWN = 200  # hidden flights, of which the crowd makes its own
GATE = 5.0  # times the requests per CPU second
CLIENTS = 16
CROWD, CROWD_SIZES = 192, [1, 1, 2, 5]  # requests, and the rows of each in turn
MIXED, EVERY = 96, 4  # requests of the crowd with bad rows, and how many of them have one
WARM, THEIRS, MINE = 48, 64, 256  # requests: before the first round, and in a round
ROUNDS, MOST_ROUNDS = 3, 6
NEAR_THE_GATE = 1.25  # within so many times of it another round is worth its seconds
CROWD_WITHIN = 60  # s for one crowd
ALONE = 21  # requests
TIMES, GRANTED = 2, 0.030  # the limit of a lone client: so many times the baseline's median, and so many seconds
EDGES = 40
COPY = "checker-copy-with-v2"
COPY_LIVES = 600  # s, should nobody be left to delete it
DOMAINS = ("ckad/design-and-build",)
OBSERVED = ("ckad/observability-and-maintenance", "cka/troubleshooting")


@check(points=1, domains=("ckad/deployment", "ckad/environment-configuration-and-security"))
async def is_up(lab: Lab) -> None:
    """Deployment `model` is ready within 90 s, and GET /readyz answers 200 through Service `model`.

    Its containers run the image workbench:1 (or tensorflow:1), each with a memory limit of at most 1Gi.
    """
    deployment = lab.objects.deployment("model")
    if await deployment.now() is None:
        expect(Observation(False, "a Deployment named model", "there is none in this namespace")).because(
            "kubectl apply -k . makes the ConfigMap with your files, the Deployment that runs them, and the Service"
        )
    up = await deployment.rolled_out(within=ROLLED_OUT_WITHIN)
    expect(up if up.ok else replace(up, evidence=(*up.evidence, *await last_lines(lab)))).because(
        "the pod is ready once GET /readyz answers 200 on port 8080. kubectl logs deployment/model (with --previous "
        "for a container that ended) shows why not. The program runs as user 10001, who may write to /tmp and to "
        "no other "
        "folder of the image; and what it makes when it starts, it makes each time that it starts"
    )
    pods = await lab.objects.pods_of("model")
    containers = [each for pod in pods for each in running(pod)]
    wanted = {f"{lab.platform.registry}/{image}" for image in IMAGES}
    images = {each["image"] for each in containers}
    expect(
        Observation(
            bool(images) and images <= wanted,
            f"pods behind Service model that run {' or '.join(sorted(wanted))}",
            ", ".join(sorted(images)) or "no pods",
        )
    ).because("the Service must select the pods of your Deployment: kubectl get service model -o wide")
    for each in containers:
        allowed = each.get("resources", {}).get("limits", {}).get("memory", "no limit")
        within = allowed != "no limit" and at_most("1Gi")(allowed)
        expect(Observation(within, "a memory limit of at most 1Gi for each container", str(allowed))).because(
            "what is faster by a memory without bounds is slower for all others on the node"
        )
    answer = await lab.traffic.first_answer(
        lambda: lab.traffic.get("model", "/readyz", within=ANSWER_WITHIN),
        lambda answer: not answer.refused,
        within=FIRST_ANSWER_WITHIN,
    )
    expect(observe("status of GET /readyz", answer.status, equal_to(200), evidence=[answer.shown])).because(
        "status 0 is no answer: does the port of the Service lead to the one that the server listens on?"
    )


@check(points=1, needs=is_up, domains=DOMAINS)
async def answers_right(lab: Lab) -> None:
    """POST /predict gives v1's own probabilities within 1e-5, for 60 flights at once and for one, in their order."""
    flights = lab.traffic.hidden_rows(60)
    rows, own, others = list(flights.rows), flights.probabilities("v1"), flights.probabilities("v2")
    for what, picked in (("60 flights", range(60)), ("60 the other way round", range(59, -1, -1)), ("1 flight", [7])):
        body = {"rows": [rows[number] for number in picked]}
        answer = await lab.traffic.first_answer(
            lambda body=body: lab.traffic.post("model", "/predict", body, within=ANSWER_WITHIN),
            lambda answer: not answer.refused,
            within=FIRST_ANSWER_WITHIN,
        )
        expect(observe(f"status of POST /predict with {what}", answer.status, equal_to(200),
                       evidence=[answer.shown])).because(why_no_answer(answer.status))  # fmt: skip
        values = [own[number] for number in picked]
        right = same_values(answer, values, what, "v1")
        expect(right).because(
            "" if right.ok else why_other_values(right.value, values, [others[number] for number in picked])
        )


@check(points=1, needs=answers_right, domains=DOMAINS)
async def answers_the_unusual(lab: Lab) -> None:
    """Unknown codes, weather that is missing, the ends of each range and 1000 rows get the model's own values, too."""
    seen = (await lab.once(measured)).unusual
    expect(seen).because(
        "what is strange but allowed must be answered as before. The model's file says what stands for an unknown code "
        "and for what is missing: bundle['defaults'], and not 0. What goes round pandas and scikit-learn must do what "
        "they did"
    )


@check(points=2, needs=answers_the_unusual, owns="model", domains=DOMAINS)
async def right_in_a_crowd(lab: Lab) -> None:
    """16 clients at once, 192 requests of 1 to 5 flights that nobody asked about before: each gets its right answer.

    None is turned away or lost, and no container is restarted.
    """
    seen = (await lab.once(measured)).crowd
    expect(crowd_seen(seen)).because("" if not seen else why_wrong_in_a_crowd(seen))


@check(points=7, needs=right_in_a_crowd, owns="model", domains=("cka/workloads-and-scheduling", *OBSERVED))
async def five_times_as_much_per_core(lab: Lab) -> None:
    """A second of CPU time answers at least 5 times the requests that it answers in the service you began with.

    16 clients, one flight a request, no flight twice. Both services are asked in turns. What counts is the CPU time of
    all containers in your namespace by the kernel's own count (cpu.stat or cpuacct.usage), not the time on the clock:
    more workers or pods make it faster, and no cheaper.
    """
    found = (await lab.once(measured)).cost
    assert found is not None
    seen = observe(
        "requests per CPU second, as a multiple of the first service's", found.times, at_least(GATE),
        evidence=[
            f"the first service: {found.theirs:.0f} requests per CPU second",
            f"yours: {found.mine:.0f} requests per CPU second",
            *(f"round {number}: {milliseconds(theirs)} and {milliseconds(mine)} of CPU time a request"
              for number, (theirs, mine) in enumerate(found.rounds, 1)),
        ],
    )  # fmt: skip
    expect(replace(seen, seen=f"{found.times:.1f} times: {found.mine:.0f} for {found.theirs:.0f}")).because(
        "where does the time of a request go? time.process_time() before and after each step, or python3 -m cProfile. "
        "Of the service that you began with more than half is pandas (tables made and joined for one row), most of the "
        "rest is scikit-learn (40 trees, each with some tens of microseconds of Python round a microsecond of work), "
        "and HTTP is the smallest part. Only what is done less often, or not at all, or by less Python, makes a "
        "request cheaper: more workers, threads or pods use more CPU side by side, memory of "
        "answers helps who asks twice, and what is made for each request (a session, a model) is better made once"
    )


@check(points=3, needs=five_times_as_much_per_core, domains=("ckad/environment-configuration-and-security", *DOMAINS))
async def follows_the_model(lab: Lab) -> None:
    """A copy of your pod with MODEL=/model/v2 answers with v2's own values, within 1e-5, and says v2.

    The checker starts that copy beside yours and deletes it afterwards. It asks about flights that you don't see, some
    of them without weather, and some whose temperature lies right on a split of v2's trees.
    """
    seen = (await lab.once(measured)).other
    assert seen is not None
    expect(seen.seen).because(seen.why)


@check(points=3, needs=five_times_as_much_per_core, owns="model", domains=OBSERVED)
async def bad_rows_stay_alone(lab: Lab) -> None:
    """In a crowd in which every fourth request has a row that breaks the contract, that one gets a 4xx and nobody else.

    All other clients get their own right answers, as if nothing had happened.
    """
    seen = (await lab.once(measured)).mixed
    assert seen is not None
    strange = {status: number for status, number in seen["bad_statuses"].items() if not 400 <= int(status) < 500}
    expect(
        Observation(
            not strange and bool(seen["bad_statuses"]),
            "each request with a bad row gets a status 4xx",
            ", ".join(f"{number} x {int(status) or 'no answer'}" for status, number in seen["bad_statuses"].items()),
            evidence=tuple(seen["bad_taken"]),
        )
    ).because(
        "what breaks the contract is the client's mistake and is refused, before the model or a batch sees it. 5xx "
        "says that the server is at fault; a 200 that there was nothing wrong; and no answer leaves the client waiting"
    )
    expect(crowd_seen(seen)).because(
        "the requests that failed had nothing wrong with them: they were in a batch with one that had. Look at each "
        "request before it goes into a batch, and give an exception in a batch to nobody who has no part in it. And "
        "what ends the loop that serves the batches ends it for all who come later"
    )


@check(points=2, needs=five_times_as_much_per_core, owns="model", domains=OBSERVED)
async def lone_client_does_not_wait(lab: Lab) -> None:
    """A client that is alone gets half of its answers within twice the first service's time and 30 ms, and all right.

    It asks both services in turn, one flight each time.
    """
    found = (await lab.once(measured)).alone
    assert found is not None
    theirs, mine = (median(found["took"][name]) for name in ("baseline", "model"))
    limit = TIMES * theirs + GRANTED
    expect(
        observe("median of a lone client", round(1000 * mine, 1), at_most(round(1000 * limit, 1)), unit="ms",
                evidence=[f"the service of the beginning: {1000 * theirs:.1f} ms", *found["told"].values()])
    ).because(
        "whoever is alone waits for others who never come. Let a batch begin as soon as somebody waits and the model "
        "is free: under load the next one fills by itself while this one is computed. A window is worth a few "
        "milliseconds"
    )  # fmt: skip
    wrong = found["told"].get("model", "")
    expect(Observation(not wrong, "right answers to a client that is alone", wrong or "all were right")).because(
        "what answers many clients right must answer one as well: a batch of one is a batch, too. kubectl logs "
        "deployment/model shows the exception behind a 500"
    )


# All that is measured, once.


@dataclass(frozen=True)
class Cost:
    """CPU seconds of a request, for each round: the baseline's and the learner's; and requests per CPU second."""

    rounds: tuple[tuple[float, float], ...]

    @property
    def theirs(self) -> float:
        return len(self.rounds) / sum(theirs for theirs, _ in self.rounds)

    @property
    def mine(self) -> float:
        return len(self.rounds) / max(1e-9, sum(mine for _, mine in self.rounds))

    @property
    def times(self) -> float:
        return self.mine / self.theirs


def milliseconds(seconds: float) -> str:
    """A request's CPU time in words; infinite where none was answered right."""
    return "none answered right" if math.isinf(seconds) else f"{1000 * seconds:.2f} ms"


@dataclass(frozen=True)
class Other:
    """The copy with the other model: what was seen of it, and why."""

    seen: Observation
    why: str


@dataclass
class Measured:
    """What was found; what comes after a part that failed is None, as the checks for it are blocked."""

    unusual: Observation
    crowd: Object = field(default_factory=dict)
    cost: Cost | None = None
    other: Other | None = None
    mixed: Object | None = None
    alone: Object | None = None


@dataclass(frozen=True)
class Stage:
    """Who is asked and who asks: the crowd's program, and the addresses of both services."""

    lab: Lab
    talk: Any
    baseline: Any
    address: tuple[str, int]

    async def ask(self, do: str, *, within: float = CROWD_WITHIN, **what: Any) -> Object:
        """Have the crowd's program do something; it takes its own `within` itself, and this waits somewhat longer."""
        said = {"do": do, "within": within, "answer_within": ANSWER_WITHIN, **what}
        found: Object = await self.talk.ask(said, within=within + 30)
        return found

    async def crowd(self, address: tuple[str, int], requests: int, sizes: Sequence[int], bad_every: int = 0) -> Object:
        """Send a crowd to an address, which asks about v1."""
        host, port = address
        return await self.ask(
            "crowd", version="v1", host=host, port=port, clients=CLIENTS, requests=requests, sizes=list(sizes),
            bad_every=bad_every,
        )  # fmt: skip


async def measured(lab: Lab) -> Measured:
    """All parts, one after the other, up to the first that failed."""
    async with contextlib.AsyncExitStack() as stack:
        await no_copy(lab)
        stage = await set_up(lab, stack)
        found = Measured(await unusual(stage))
        if not found.unusual.ok:
            return found
        before = await restarts(lab)
        found.crowd = await stage.crowd(stage.address, CROWD, CROWD_SIZES)
        found.crowd["restarted"] = await restarts(lab) - before
        if not crowd_seen(found.crowd).ok:
            return found
        found.cost = await costs(stage)
        if found.cost.times < GATE:
            return found
        found.alone = await stage.ask(
            "alone", servers={"baseline": [stage.baseline.address, 8080], "model": list(stage.address)}, times=ALONE
        )
        async with copy_of_pod(lab):  # which starts while the crowd comes
            found.mixed = await stage.crowd(stage.address, MIXED, CROWD_SIZES, EVERY)
            found.mixed["restarted"] = await restarts(lab) - before
            found.other = await other_model(stage)
    return found


async def set_up(lab: Lab, stack: contextlib.AsyncExitStack) -> Stage:
    """Start the crowd's pod and the baseline; LabError if they are not what they should be."""
    known = lab.traffic.hidden_rows(KNOWN)
    files = {"crowd.py": (HERE / "crowd.py").read_text(), "flights.json": json.dumps([dict(row) for row in known.rows])}
    first = {name: (HERE.parent / "start" / name).read_text() for name in ("app.py", "contract.py")}
    ready = {"httpGet": {"path": "/readyz", "port": 8080}, "periodSeconds": 1, "timeoutSeconds": 3}
    waits = ["python3", "-c", "import signal; signal.pause()"]
    serves = ["python3", "-m", "uvicorn", "app:app", "--app-dir", "/checker", "--host", "0.0.0.0", "--port", "8080"]
    pods = await asyncio.gather(
        stack.enter_async_context(lab.programs.pod("workbench:1", *waits, files=files)),
        stack.enter_async_context(lab.programs.pod("workbench:1", *serves, files=first, readiness=ready)),
        return_exceptions=True,
    )
    for pod in pods:
        if isinstance(pod, BaseException):
            raise pod
    crowd, baseline = pods
    seed = str(time.time_ns() % 2**31)
    talk = await stack.enter_async_context(crowd.talk("python3", "/checker/crowd.py", seed))
    if reasons := (await talk.hear(within=60))["reasons"]:
        raise LabError(f"the checker's own model can't be loaded: {reasons}", "make the images again: lab images build")
    stage = Stage(lab, talk, baseline, await service_address(lab, "model"))
    sample = await stage.ask("values", version="v1", rows=[dict(row) for row in known.rows[:20]])
    theirs = await stage.crowd((baseline.address, 8080), WARM, [1])
    if not near(sample["probabilities"], known.probabilities("v1")[:20]) or theirs["wrong"] or theirs["ended"] < WARM:
        raise LabError(
            "the service to compare with does not answer as the model does", "try again; if it lasts: lab doctor",
            "\n".join(theirs["told"]),
        )  # fmt: skip
    return stage


async def service_address(lab: Lab, name: str) -> tuple[str, int]:
    """Where a Service answers inside the cluster."""
    service = await lab.objects.named("Service", name).now()
    if service is None:
        raise LabError(f"Service {name} went away during the check", "apply it again")
    return await lab.traffic.host(name), 80


async def costs(stage: Stage) -> Cost:
    """CPU time a request of both, in turns; more rounds near the gate."""
    lab = stage.lab
    least = ROUNDS if lab.thorough(five_times_as_much_per_core) else 1
    pods = [pod for pod in await lab.objects.all("Pod") if pod.get("status", {}).get("phase") == "Running"]
    rounds: list[tuple[float, float]] = []
    before = await restarts(lab)
    await stage.crowd(stage.address, WARM, [1])
    async with lab.usage.cpu_time([stage.baseline.seen]) as theirs, lab.usage.cpu_time(pods) as mine:
        while len(rounds) < MOST_ROUNDS:
            a = await cost(stage, theirs, (stage.baseline.address, 8080), THEIRS, "the service to compare with")
            try:
                b = await cost(stage, mine, stage.address, MINE, "")
            except LabError:
                if await restarts(lab) <= before:
                    raise
                b = math.inf  # its container ended, and with it what counted
            rounds.append((a, b))
            times = Cost(tuple(rounds)).times
            if len(rounds) >= least and not GATE / NEAR_THE_GATE < times < GATE * NEAR_THE_GATE:
                break
    return Cost(tuple(rounds))


async def cost(stage: Stage, clock: Any, address: tuple[str, int], requests: int, own: str) -> float:
    """CPU seconds for each right answer of a crowd; infinite when there was none. `own` names a server of ours."""
    before = await clock.seconds()
    seen = await stage.crowd(address, requests, [1])
    used: float = await clock.seconds() - before
    right = seen["ended"] - seen["wrong"]
    if right and used <= 0:
        raise LabError(
            f"{right} right answers, and no CPU time used by {own or 'any container of the lab'}",
            "the kernel's count in /sys/fs/cgroup must be the container's own; see that nothing is mounted over it",
        )
    if own and right < requests:
        raise LabError(f"{own} answered {right} of {requests} requests right", "the machine is too busy; check again")
    return used / right if right else math.inf


async def unusual(stage: Stage) -> Observation:
    """What is strange but allowed, against the model's own values."""
    host, port = stage.address
    found = await stage.ask("unusual", version="v1", host=host, port=port)
    wrong = [f"{what}: {problem}" for what, problem in found["wrong"]]
    return Observation(
        not wrong, f"{found['asked']} unusual bodies answered with the model's own values",
        f"{len(wrong)} were not: {wrong[0][:160]}" if wrong else f"all {found['asked']} were", evidence=tuple(wrong),
    )  # fmt: skip


# The copy with the other model.


async def other_model(stage: Stage) -> Other:
    """Ask the copy about flights with known values, unusual ones, and ones on the splits."""
    lab = stage.lab
    up = await copy_is_up(lab)
    if not up.ok:
        return Other(up, "the copy differs from your pod by the variable MODEL alone; the evidence has its last lines. "
                         "v2 reads more fields than v1: its file says which")  # fmt: skip
    flights = lab.traffic.hidden_rows(60)
    answer = await lab.traffic.post(COPY, "/predict", flights.body, within=ANSWER_WITHIN)
    right = same_values(answer, flights.probabilities("v2"), "60 flights, in a copy with MODEL=/model/v2", "v2")
    if not right.ok:
        return Other(right, why_not_v2("", right.value, flights.probabilities("v1")))
    host, port = await service_address(lab, COPY)
    found = await stage.ask("unusual", version="v2", host=host, port=port, field="temp", count=EDGES)
    expected = "a copy with MODEL=/model/v2 answers with v2's own values"
    if found["wrong"]:
        wrong = [f"{what}: {problem}" for what, problem in found["wrong"]]
        seen = Observation(False, expected, wrong[0][:160], evidence=tuple(wrong))
        return Other(seen, why_not_v2(found["wrong"][0][0], None, ()))
    return Other(Observation(True, expected, f"all {found['asked'] + 1} bodies were answered so"), "")


def why_not_v2(what: str, given: Sequence[float] | None, v1: Sequence[float]) -> str:
    """The likely reason for what the copy answered."""
    if given is not None and near(given, v1):
        return (
            "these are v1's values: what the service reads, makes or knows at its start must come from the folder that "
            "MODEL names, or the next version of the model is a change of the program"
        )
    if "split" in what:
        return (
            "scikit-learn makes a float32 of the value and compares it with a split that is a float64. With the split "
            "as a float32, too, it may be rounded up to the value, and the flight goes down the other branch. skl2onnx "
            "rounds the splits down when its input is float32; whoever takes the trees apart by hand keeps float64"
        )
    return (
        "v2 also reads the weather, and what stands for weather that is missing is in bundle['defaults']. The "
        "features, their order, categories and defaults are in each model's own file"
    )


async def copy_is_up(lab: Lab) -> Observation:
    """Wait until the copy says that it is ready."""
    expected = f"a copy of the pod with MODEL=/model/v2 is ready within {STARTED_WITHIN} s"
    began, said = time.monotonic(), "no answer"
    while time.monotonic() - began < STARTED_WITHIN:
        pod = await lab.objects.named("Pod", COPY).now()
        phase = (pod or {"status": {}})["status"].get("phase", "gone")
        if phase in ("Failed", "Succeeded"):
            lines: list[str] = []
            with contextlib.suppress(LabError):  # it may not have written anything
                lines = (await lab.objects.logs(COPY, failed(pod or {}), tail=4)).splitlines()
            return Observation(False, expected, "the program ended", evidence=tuple(line[:160] for line in lines))
        answer = await lab.traffic.get(COPY, "/readyz", within=ANSWER_WITHIN)
        if answer.status == 200:
            return Observation(True, expected, "it is")
        said = answer.shown
        await lab.time.pause(0.5)
    if phase != "Running":
        raise LabError(f"the checker's copy of the pod is {phase}", "see how the nodes are: lab status")
    return Observation(False, expected, said)


def failed(pod: Object) -> str | None:
    """The first container of a pod that ended with another code than 0, those that come before the others first."""
    states = [each for kind in ("initContainerStatuses", "containerStatuses") for each in pod["status"].get(kind) or []]
    return next(
        (each["name"] for each in states if ((each.get("state") or {}).get("terminated") or {}).get("exitCode")), None
    )


@contextlib.asynccontextmanager
async def copy_of_pod(lab: Lab) -> AsyncIterator[None]:
    """A pod like the learner's with MODEL=/model/v2, and a Service for it, while the block runs."""
    pods, service = await lab.objects.pods_of("model"), await lab.objects.named("Service", "model").now()
    if not pods or service is None:
        raise LabError("the pods behind Service model went away during the check", "wait until they are ready again")
    made = copied(pods[0], service)
    try:
        await lab.objects.apply(made)
        yield
    finally:
        gone = [lab.objects.delete(item["kind"], COPY, grace=1) for item in made]
        for ended in await asyncio.gather(*gone, return_exceptions=True):
            if isinstance(ended, BaseException):
                raise ended


async def no_copy(lab: Lab) -> None:
    """Delete the copy of a run that was cut off."""
    if await lab.objects.named("Pod", COPY).now():
        await lab.objects.delete("Pod", COPY, grace=1)
        await lab.objects.named("Pod", COPY).until(lambda pod: pod is None, expected="gone", shown=str, within=30)


def copied(pod: Object, service: Object) -> list[Object]:
    """The copy's Pod and Service; the Service takes it whether it is ready or not."""
    meta = {"name": COPY, "labels": {"mlops-lab/checker": "copy"}}
    spec = copy.deepcopy(pod["spec"])
    token = {each["name"] for each in spec.get("volumes") or [] if each["name"].startswith("kube-api-access-")}
    for name in (
        "nodeName",
        "hostname",
        "subdomain",
        "serviceAccount",
        "priority",
        "tolerations",
        "affinity",  # which may keep it away from wherever the learner's own pods are
        "topologySpreadConstraints",
        "nodeSelector",
        "ephemeralContainers",
    ):
        spec.pop(name, None)
    spec["restartPolicy"] = "Never"
    spec["activeDeadlineSeconds"] = COPY_LIVES
    spec["volumes"] = [each for each in spec.get("volumes") or [] if each["name"] not in token]
    for container in [*spec["containers"], *(spec.get("initContainers") or [])]:
        for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
            container.pop(probe, None)
        mounts = container.get("volumeMounts") or []
        container["volumeMounts"] = [each for each in mounts if each["name"] not in token]
        others = [each for each in container.get("env") or [] if each["name"] != "MODEL"]
        container["env"] = [*others, {"name": "MODEL", "value": "/model/v2"}]
    target = next(each.get("targetPort", each["port"]) for each in service["spec"]["ports"] if each["port"] == 80)
    return [
        {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec},
        {
            "apiVersion": "v1", "kind": "Service", "metadata": meta,
            "spec": {
                "selector": meta["labels"], "publishNotReadyAddresses": True,
                "ports": [{"port": 80, "targetPort": target}],
            },
        },
    ]  # fmt: skip


# What comes back.


async def restarts(lab: Lab) -> int:
    """How often the containers behind Service model were restarted in all."""
    pods = await lab.objects.pods_of("model")
    return sum(each["restartCount"] for pod in pods for each in pod.get("status", {}).get("containerStatuses") or [])


async def last_lines(lab: Lab) -> list[str]:
    """What the newest pod of the Deployment wrote last."""
    pods = sorted(await lab.objects.pods_of("model"), key=lambda pod: str(pod["metadata"]["creationTimestamp"]))
    if not pods:
        return []
    try:
        text = await lab.objects.logs(pods[-1]["metadata"]["name"], tail=4)
    except LabError:  # it has not written anything yet
        return []
    return [f"its log: {line.strip()[:160]}" for line in text.splitlines()]


def crowd_seen(seen: Mapping[str, Any]) -> Observation:
    """Whether all good requests of a crowd were answered right, and no container was restarted."""
    lost = seen["planned"] - seen["ended"]
    restarted = seen.get("restarted", 0)
    parts = [
        f"{seen['wrong']} of {seen['good']} were not" if seen["wrong"] else "",
        f"{lost} were not sent any more" if lost else "",
        f"{restarted} restarts of a container" if restarted > 0 else "",
    ]
    text = ", ".join(part for part in parts if part)
    return Observation(
        not text, f"{seen['good']} good requests of {CLIENTS} clients at once answered right, no restart",
        text or "all were", evidence=tuple(seen["told"]),
    )  # fmt: skip


def why_wrong_in_a_crowd(seen: Mapping[str, Any]) -> str:
    """The likely reason for what a crowd saw."""
    if seen.get("restarted", 0) > 0:
        return "kubectl describe pod says why a container ended; OOMKilled is more memory than its limit"
    if seen["mixed"]:
        return (
            f"{seen['mixed']} clients got the right values for somebody else's flights. In a batch each request has "
            "its place: who comes first is first in the array and gets the first part of the result, as many "
            "values as it "
            "had rows. And what two requests share (a buffer, say) belongs to one of them from when it is filled until "
            "the model has read it: with every `await` in between another one may fill it"
        )
    if seen["refused_good"]:
        return (
            "clients were turned away. 16 at once are no overload for a service that needs a millisecond for each: let "
            "them wait for their turn. A limit belongs where memory or patience ends"
        )
    if seen["none"] or seen["ended"] < seen["planned"]:
        return (
            "clients waited for an answer that did not come: does something wait for a batch to be full, or has the "
            "loop that serves the batches ended? kubectl logs deployment/model"
        )
    return "alone they were right. What do requests share that are under way at the same time?"


def same_values(answer: Any, wanted: Sequence[float], what: str, version: str) -> Observation:
    """Whether an answer has status 200 and these probabilities; its value is what it gives, or None."""
    said = answer.fields_if_any
    given = numbers(said.get("probabilities"))
    expected = f"for {what}: model_version {version}, and the model's own probabilities within {SAME:g}"
    if answer.status != 200 or given is None:
        return Observation(False, expected, answer.shown, None)
    apart = difference(given, wanted)
    if apart is None:
        return Observation(False, expected, f"{len(given)} probabilities for {len(wanted)} rows", given)
    if apart > SAME:
        return Observation(False, expected, f"up to {apart:.2g} away from the model's own", given)
    named = said.get("model_version")
    return Observation(named == version, expected, f"model_version {str(named)[:40]}, the right values", given)


def why_no_answer(status: int) -> str:
    """The likely reason for another status than 200 for a good body."""
    if status == 0:
        return f"an answer must be whole {ANSWER_WITHIN} s after the request: kubectl logs deployment/model"
    if 300 <= status < 400:
        return "a redirect is no answer: the path is /predict, and a route named /predict/ is another one"
    return "kubectl logs deployment/model shows the exception behind a 500; the body keeps the contract"


def why_other_values(given: Sequence[float] | None, wanted: Sequence[float], others: Sequence[float]) -> str:
    """The likely reason for other values than the model's own."""
    if given is None:
        return 'the contract is {"model_version": "v1", "probabilities": [0.31, ...]}, one number for each row'
    if near(given, wanted):
        return "the version stands in metadata.json beside the model"
    if len(given) != len(wanted):
        return "one probability for each row, whatever their number: ONNX's first dimension can be left open (None)"
    if set(given) <= {0.0, 1.0}:
        return "these are classes. The graph has two outputs: the label comes first, the probabilities second"
    if near([1 - one for one in given], wanted):
        return "these are the probabilities of being on time: of the two columns the second one is late"
    if near(sorted(given), sorted(wanted)):
        return "the values are right and in another order: clients go by the place in the list"
    if near(given, others):
        return "these are the values of v2: without the variable MODEL the model is the one in /model/v1"
    if near(given, wanted, 0.051):
        return (
            "they are nearly right. Where does a number lose digits on its way: a type with fewer bits (float16), or a "
            "round()? Near a threshold it changes decisions, and in a tree it may change the branch"
        )
    return "the model reads its features in the order of its own file, as float32, categories as shares"


def near(some: Sequence[float], others: Sequence[float], apart: float = SAME) -> bool:
    """Are they as many, and each as good as the same?"""
    return len(some) == len(others) and all(abs(one - other) <= apart for one, other in zip(some, others, strict=True))


def median(values: Sequence[float]) -> float:
    """The one in the middle; infinite of none."""
    return sorted(values)[len(values) // 2] if values else math.inf
