"""Lab 15: what the pods' metrics and logs say, against what the checker sent and what came back.

The checker's own program (traffic.py, in a pod) sends all requests and reads the pods' metrics before and after.
"""

from __future__ import annotations

import itertools
import json
import math
import random
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_lab.checks import Lab, LabError, Observation, at_most, check, equal_to, expect, observe
from mlops_lab.measure.traffic.flights import difference

Object = dict[str, Any]

READY_WITHIN = 90  # s for the Deployment's pods
GONE_WITHIN = 30  # s for the pods of the program before, which may still get requests
SENT_WITHIN = 110  # s for the checker's own pod, its start included
TRIES = 2  # a pod that is started again meanwhile begins to count anew
LOGGED_WITHIN = 10  # s
LINES = 5000  # of a container's log
SCRAPED_WITHIN = 35  # s: three scrapes, and what they take
NEW_SERIES = 10  # that a pod may have more after requests of the kinds that it has had
CERTAIN = 0.1  # the widest bucket that a decile of the predictions may fall into
FINE, FACTOR = 0.01, 3  # s below which a latency need not be told apart, and above it by which factor it must be
LEAST, MOST = 0.1, 2  # the server's seconds: of the quickest answer, for each; of all that the client waited
STALE = 25  # s without a scrape, which comes each 10 s
WITHIN = 1e-6  # of the model's own values

REQUESTS, LATENCY = "http_requests_total", "http_request_duration_seconds"
PREDICTIONS, MODEL = "model_prediction_probability", "model_info"
ROUTE, PORT = "/predict", 80  # of the Service
EXPECTED = {"predict": 200, "nameless": 200, "refused": 422, "unknown": 404, "quoted": 404, "crash": 500}
TEXTS = ("text/plain", "application/openmetrics-text", "application/vnd.google.protobuf")
OBSERVED = ("ckad/observability-and-maintenance",)
LOGS = ("ckad/observability-and-maintenance", "cka/troubleshooting")


@check(points=1, domains=("ckad/deployment", *OBSERVED))
async def shows_metrics(lab: Lab) -> None:
    """Service `model` answers as before, and each of its pods answers GET /metrics in Prometheus' text format.

    As before: the model's own values for flights that you don't see, 422 to a bad row, 404 to an unknown path, 500 to
    hour 24. The metrics are looked for where the pod's annotations say, then on the port that it serves on. The checker
    waits up to 90 s for the Deployment.
    """
    seen = await lab.once(measured)
    served(seen)
    for first in seen.first("predict"):
        expect(right(lab, first)).because(
            "what a server tells of itself must not change what it answers: kubectl logs deployment/model"
        )
    strange = Counter(
        f"{each['kind']}: {each['status']}"
        for each in seen.answers
        if each["status"] != EXPECTED.get(each["kind"], each["status"])
    )
    expect(
        Observation(
            not strange,
            "200 to flights, 422 to bad rows, 404 to unknown paths, 500 to hour 24",
            ", ".join(f"{number} x {what}" for what, number in strange.items()) or "each kind has its status",
        )
    ).because(
        "the statuses are what your clients know, and what is counted here. That hour 24 ends in a 500 is a fault that "
        "others mend; while it is there it has to be seen"
    )
    bad = {
        name: each
        for when in ("before", "middle", "after")
        for name, each in seen.whole[when].items()
        if "error" in each
    }
    name, worst = next(iter(bad.items()), ("", {}))
    expect(
        Observation(
            not bad,
            f"metrics of each of {len(seen.after)} pods, each time that they are asked",
            f"{name}: {worst.get('where', '')}: {worst['error']}" if bad else "each pod shows its metrics",
        )
    ).because(why_no_metrics(worst))
    named = {metric for each in seen.after.values() for metric in each["types"]}
    expect(
        Observation(bool(named), f"{REQUESTS} or another metric of the task", ", ".join(sorted(named)) or names(seen))
    ).because("the platform's rules and dashboards know these metrics by the names in the task, to the letter")


@check(points=1, needs=shows_metrics, domains=OBSERVED)
async def names_the_model(lab: Lab) -> None:
    """Each pod has `model_info` with the label `version`, value 1, and the version that its answers come from."""
    seen = await lab.once(measured)
    for first in seen.first("predict"):
        found = seen.after[first["pod"]]["model"]
        told = [labels.get("version") for labels, value in found if value == 1]
        expect(
            Observation(
                told == [first["version"]],
                f'model_info{{version="{first["version"]}"}} 1, the model_version of the answers of {first["pod"]}',
                ", ".join(f"{labels} {value:g}" for labels, value in found[:3]) or names(seen),
            )
        ).because(
            "a rate or a latency is joined with this series to see which version it belongs to. So the version comes "
            "from the model that is loaded, not from a constant: a constant is right until the next model"
        )


@check(points=2, needs=shows_metrics, domains=OBSERVED)
async def counts_answers(lab: Lab) -> None:
    """The counter `http_requests_total{route="/predict", status="200"}` rises by what clients got, over all pods.

    The checker sends flights through the Service, several requests at a time, and adds up all pods before and after.
    """
    seen = await lab.once(measured)
    expect(
        Observation(
            all(REQUESTS in each["types"] for each in seen.after.values()),
            f"{REQUESTS} of each pod",
            f"the pods have {names(seen)}",
        )
    ).because(
        'Counter("http_requests_total", "...", ["route", "status"]) makes it; a series is there once labels(...) was '
        "called"
    )
    several = {name: said for name, said in seen.whole["at_once"].items() if len(said) > 1}
    expect(
        Observation(
            not several,
            "a pod that nobody asks anything gives the same counts, whoever looks",
            "; ".join(f"{name}: {', '.join(f'{each:g}' for each in said)} in all" for name, said in several.items())
            or "a pod says the same to all who look",
        )
    ).because(PROCESSES)
    fell = seen.whole["fell"]
    expect(
        Observation(
            not fell,
            "counts that only rise",
            f"{', '.join(fell)} counted less than a moment before" if fell else "counts only rise",
        )
    ).because(
        "nobody sets a counter back, as several may look: Prometheus keeps what it saw and computes the difference "
        "between two times itself. Only a process that is started again begins at 0. Or several processes answer in "
        f"turn: {PROCESSES}"
    )
    expect(seen.rise(f"{ROUTE} 200", seen.got(200))).because(
        "the label route is the route's path, status the status code, such as 200, and each request counts once. If "
        f"less was counted than sent: {PROCESSES}"
    )
    expect(kind(seen, REQUESTS, "counter")).because(
        "a gauge may fall. Of a counter Prometheus knows that it only falls when its process is started again, and "
        "rate() and increase() make up for that"
    )


@check(points=2, needs=counts_answers, domains=OBSERVED)
async def counts_refusals(lab: Lab) -> None:
    """What is refused counts: status 422 at route /predict, 404 and 405 at whatever route you give them."""
    seen = await lab.once(measured)
    why = (
        "a handler is called only if the path, the method and the body are right. What counts all requests stands "
        "around all handlers: a middleware, or before_request and after_request; and it counts when the status is known"
    )
    expect(seen.rise(f"{ROUTE} 422", seen.got(422))).because(why)
    for status in (404, 405):
        expect(seen.rise(f" {status}", seen.got(status))).because(why)


@check(points=2, needs=counts_answers, domains=OBSERVED)
async def times_requests(lab: Lab) -> None:
    """The histogram `http_request_duration_seconds{route="/predict"}` has each answer, in seconds, in fitting buckets.

    Its count, and its last bucket with it, rises by all the answers with status 200 and by no more than all requests.
    In a row of requests, one after the other, its sum rises by the seconds that the checker waited: at most twice
    those, and for each request at least a tenth of the quickest. The buckets that the median and the 95th percentile
    fall into end at 10 ms or less, or at most at 3 times where they begin.
    """
    seen = await lab.once(measured)
    expect(histogram(seen, "latency", LATENCY)).because(
        "a histogram has _bucket, _sum and _count. Quantiles that a server computes itself (a summary) can't be added "
        "up over pods"
    )
    good, every = seen.got(200), sum(each["path"] == ROUTE for each in seen.sent)
    count = seen.histogram_rise("latency")["count"]
    expect(
        Observation(
            good <= count <= every,
            f"{LATENCY}_count of {ROUTE} rises by {good} to {every}",
            f"by {count:g}",
            what=f"{LATENCY}_count rises",
        )
    ).because("one observation for each answer: not for each flight in it, and not for some of them")
    waited = [each["seconds"] for each in seen.timed]
    spent = seen.histogram_rise("latency", "middle")["sum"]
    least, most = LEAST * min(waited) * len(waited), MOST * sum(waited)
    expect(
        Observation(
            least <= spent <= most,
            f"{LATENCY}_sum rises by {least:.3g} to {most:.3g}, in {len(waited)} requests that took the checker "
            f"{sum(waited):.3g} s",
            f"by {spent:.3g}",
            what=f"{LATENCY}_sum rises",
        )
    ).because(
        "the unit is in the name: seconds, as everywhere in Prometheus (time.perf_counter() gives them). The clock "
        "starts when the request comes and is read when the answer is there"
    )
    buckets = seen.histogram_rise("latency")["buckets"]
    rises = [number for _, number in sorted((float(bound), number) for bound, number in buckets.items())]
    expect(
        Observation(
            buckets["inf"] == count and all(one <= other for one, other in itertools.pairwise(rises)),
            f'le="+Inf" of {LATENCY}_bucket rises by {count:g} like the count, and no bucket by less than a lower one',
            f"the buckets rise by {', '.join(f'{number:g}' for number in rises)}",
            what=f"{LATENCY}_bucket rises",
        )
    ).because(
        "buckets are cumulative: each counts what is at most its bound, and the last one everything. prometheus-client "
        "does that itself, in observe()"
    )
    for share, what in ((0.5, "median"), (0.95, "95th percentile")):
        low, high = holds(buckets, share)
        expect(
            Observation(
                high <= FINE or (low > 0 and math.isfinite(high) and high / low <= FACTOR * 1.001),
                f"a bucket for the {what} that ends at {FINE * 1000:g} ms or less, or at most {FACTOR} times where it "
                "begins",
                f"the {what} is between {low:g} and {high:g} s",
            )
        ).because(
            "a histogram knows of a request only which bucket it fell into. Put bounds where your latencies are, each "
            "about twice the one before, from a few milliseconds to the longest that a client waits"
        )


@check(points=3, needs=counts_answers, domains=OBSERVED)
async def shows_predictions(lab: Lab) -> None:
    """The histogram `model_prediction_probability` holds each probability that clients got, and its buckets show where.

    Count and sum rise by those of the probabilities that came back, one for each flight; each bucket by those that
    belong into it. The bucket of each decile is at most 0.1 wide.
    """
    seen = await lab.once(measured)
    expect(histogram(seen, "predictions", PREDICTIONS)).because(
        "a histogram has _bucket, _sum and _count: one gauge with the last value says nothing of all the others"
    )
    told, given = seen.histogram_rise("predictions"), seen.probabilities
    answers = seen.got(200)
    expect(
        Observation(
            told["count"] == len(given) > 0, f"{PREDICTIONS}_count rises by {len(given)}", f"by {told['count']:g}"
        )
    ).because(
        f"there were {answers} answers with {len(given)} probabilities. Each probability is an observation of its own; "
        "a mean hides what a drift would show"
    )
    total = sum(given)
    expect(
        Observation(
            abs(told["sum"] - total) <= 0.001 + WITHIN * len(given),
            f"{PREDICTIONS}_sum rises by {total:.3f}",
            f"by {told['sum']:.3f}",
            what=f"{PREDICTIONS}_sum rises",
        )
    ).because("what is observed is the probability as the client gets it: from 0 to 1, no percent and no class")
    wrong = [
        f'le="{bound}": {number:g} instead of {below(given, edge)}'
        for bound, number in told["buckets"].items()
        if not below(given, (edge := float(bound)) - WITHIN) <= number <= below(given, edge + WITHIN)
    ]
    expect(
        Observation(
            not wrong, "each bucket holds what is at most its bound", "; ".join(wrong[:3]) or "each bucket does"
        )
    ).because("buckets are cumulative: what is at most 0.2 is also at most 0.3. prometheus-client does that itself")
    given.sort()
    bounds = sorted(map(float, told["buckets"]))
    wide = []
    for tenth in range(1, 10):
        value = given[len(given) * tenth // 10]
        low = max([bound for bound in bounds if bound < value], default=0.0)
        high = min([1.0, *(bound for bound in bounds if bound >= value)])
        if high - low > CERTAIN + WITHIN:
            wide.append(f"{tenth * 10} % are below {value:.2f}, and the bucket goes from {low:g} to {high:g}")
    expect(
        Observation(
            not wide,
            f"each decile of the predictions lies in a bucket at most {CERTAIN:g} wide",
            "; ".join(wide[:2]) or "each decile does",
        )
    ).because(
        "the default buckets are made for seconds that a request takes. Probabilities lie between 0 and 1: buckets=... "
        "with bounds there; the bins in which drift is computed are these"
    )


@check(points=2, needs=counts_answers, domains=OBSERVED)
async def stays_bounded(lab: Lab) -> None:
    """Hundreds of paths, displays, queries and ids that nobody sent before make at most 10 new series at each pod."""
    seen = await lab.once(measured)
    for name, grown in seen.whole["grown"].items():
        more = grown["after"] - grown["before"]
        labels = [
            f"{label} of {metric} has {number} new values, such as {', '.join(repr(each[:40]) for each in such)}"
            for number, metric, label, such in grown["labels"]
        ]
        expect(observe(f"new series at {name}", more, at_most(NEW_SERIES), evidence=labels)).because(
            "each combination of values is a series of its own, which the server keeps in memory until it ends, and "
            "Prometheus for as long as it keeps samples. So a label takes values from a list that you know: the path "
            "of the route, `other` for what has none. What clients choose belongs into the log"
        )


@check(points=2, needs=counts_answers, domains=("ckad/services-and-networking", *OBSERVED))
async def is_scraped(lab: Lab) -> None:
    """Within 35 s Prometheus has the same `http_requests_total{route="/predict"}` as the pods themselves."""
    seen = await lab.once(measured)
    own = {
        (name, key.partition(" ")[2]): value
        for name, each in seen.after.items()
        for key, value in each["requests"].items()
        if key.startswith(f"{ROUTE} ")
    }
    query = f'sum by (pod, status) ({REQUESTS}{{{lab.platform.prometheus.matcher}, route="{ROUTE}"}})'

    async def look() -> dict[tuple[str, str], float]:
        found = await lab.platform.prometheus.query(query)
        kept = {(each.labels.get("pod", ""), each.labels.get("status", "")): each.points[-1][1] or 0 for each in found}
        return {key: value for key, value in kept.items() if key[0] in seen.after}

    def shown(has: dict[tuple[str, str], float]) -> str:
        if not has:
            return f"no {REQUESTS} of these pods"
        apart = [
            f"{pod} {status}: {has.get((pod, status), 0):g}, not {value:g}"
            for (pod, status), value in own.items()
            if has.get((pod, status)) != value
        ]
        return "; ".join(apart[:3]) or "the same"

    found = await lab.time.eventually(
        look, lambda has: has == own, expected=f"the {len(own)} counts of {ROUTE} in Prometheus", shown=shown,
        within=SCRAPED_WITHIN,
    )  # fmt: skip
    expect(found).because("" if found.ok else await why_not_scraped(lab, seen, found.value))


@check(points=3, domains=LOGS)
async def logs_requests(lab: Lab) -> None:
    """Each answer has the request's `x-request-id`, a new one if it has none, and within 10 s the log has its line.

    That line is a JSON object with `request_id`, `path` and `status`. Looked at are all answers but those to hour 24.
    """
    seen = await lab.once(measured)
    served(seen)
    kept = [each for each in seen.answers if each["kind"] != "crash"]
    lost = [each for each in kept if each["given"] and each["returned"] != each["given"]]
    first = lost[0] if lost else {}
    expect(
        Observation(
            not lost,
            "x-request-id in the answer as it was in the request",
            f"{len(lost)} of {len(kept)} answers have another: {first['returned'] or 'none'} instead of "
            f"{first['given']} ({first['status']} {first['path']})"
            if lost
            else "the same id",
        )
    ).because(
        "whoever sends an id looks for it in the logs of all services that the request went through. A new one is made "
        "only where none came; it goes back as a header of the answer, whatever the answer is"
    )
    made = [each["returned"] for each in kept if not each["given"]]
    expect(
        Observation(
            all(made) and len(set(made)) == len(made),
            f"{len(made)} ids made for {len(made)} requests without one",
            f"{len(set(made) - {''})} different ids, {made.count('')} answers without",
        )
    ).because("an id that several requests share leads to all of them; uuid.uuid4().hex makes one that none shares")
    expect(await logged(lab, seen, kept)).because(
        "one line per request, on standard output, flushed, and in one write with its line break: what print(line) "
        "writes in two, another thread or process may part. What clients send may have quotes and line breaks in it: "
        "json.dumps makes a line that can be read again, whatever is in it"
    )


@check(points=3, needs=(counts_answers, logs_requests), domains=LOGS)
async def tells_of_crashes(lab: Lab) -> None:
    """A request that ends in an exception is counted with status 500 at route /predict, and has its id and its line.

    These are the requests with hour 24.
    """
    seen = await lab.once(measured)
    why = (
        "an exception leaves the handler and every middleware on its way, past the lines behind call_next; somebody "
        "outside of them all makes the 500. What tells of a request must catch it: except Exception, answer 500, "
        "and then count and log as ever"
    )
    expect(seen.rise(f"{ROUTE} 500", seen.got(500))).because(why)
    crashed = [each for each in seen.answers if each["kind"] == "crash"]
    lost = sum(each["returned"] != each["given"] for each in crashed)
    expect(observe("answers with status 500 that lack the request's x-request-id", lost, equal_to(0))).because(why)
    expect(await logged(lab, seen, crashed)).because(why)


@dataclass(frozen=True)
class Seen:
    """What traffic.py found.

    Attributes:
        pods: the Pod objects.
        whole: its answer: `answers`, and the pods' metrics `before`, `middle` and `after`.
    """

    pods: list[Object]
    whole: Object

    @property
    def answers(self) -> list[Object]:
        """All requests with what came back."""
        return list(self.whole["answers"])

    @property
    def sent(self) -> list[Object]:
        """The requests between `before` and `after`."""
        return self.answers[self.whole["first"] :]

    @property
    def timed(self) -> list[Object]:
        """Those between `middle` and `after`, one after the other."""
        return self.answers[self.whole["timed"] :]

    @property
    def after(self) -> dict[str, Object]:
        """Each pod's metrics at the end."""
        return dict(self.whole["after"])

    @property
    def probabilities(self) -> list[float]:
        """All that came back between `before` and `after`."""
        return [each for answer in self.sent for each in answer.get("probabilities", ())]

    def first(self, kind: str) -> list[Object]:
        """The requests of a kind that were sent to each pod itself."""
        return [each for each in self.answers if each["pod"] and each["kind"] == kind]

    def got(self, status: int) -> int:
        """How many answers between `before` and `after` have a status."""
        return sum(each["status"] == status for each in self.sent)

    def rise(self, ending: str, wanted: int) -> Observation:
        """The rise of the counter for a route and status (` 404`: of any route), over all pods."""

        def at(pod: str, when: str) -> float:
            kept = self.whole[when][pod].get("requests", {})
            return float(sum(value for key, value in kept.items() if key.endswith(ending)))

        rises = {pod: at(pod, "after") - at(pod, "before") for pod in self.after}
        route, _, status = ending.partition(" ")
        labels = (f'route="{route}", ' if route else "") + f'status="{status}"'
        each = ", ".join(f"{pod} {number:g}" for pod, number in rises.items())
        total = sum(rises.values())
        return Observation(
            total == wanted,
            f"{REQUESTS}{{{labels}}} rises by {wanted}",
            f"by {total:g} ({each})",
            what=f"{REQUESTS}{{{labels}}} rises",
        )

    def histogram_rise(self, name: str, since: str = "before") -> Object:
        """The rise of a histogram over all pods: `count`, `sum` and `buckets` by bound."""
        found: Object = {"count": 0.0, "sum": 0.0, "buckets": Counter()}
        for pod, after in self.after.items():
            before = self.whole[since][pod][name]
            for what in ("count", "sum"):
                found[what] += (after[name][what] or 0) - (before[what] or 0)
            for bound, number in after[name]["buckets"].items():
                found["buckets"][bound] += number - before["buckets"].get(bound, 0)
        return found


async def measured(lab: Lab) -> Seen:
    """Send the requests and read the metrics of pods that stay what they are meanwhile."""
    deployment = lab.objects.deployment("model")
    found = await deployment.now()
    expect(Observation(found is not None, "a Deployment named model", "there is none in this namespace")).because(
        "nothing runs before it is applied: kubectl apply -k . and then kubectl get pods"
    )
    assert found is not None
    expect(await deployment.rolled_out(within=READY_WITHIN)).because(
        "kubectl describe pod says in its events what holds a pod up, kubectl logs what the program says about it"
    )
    await lab.traffic.post(
        "model", ROUTE, {"rows": list(lab.traffic.hidden_rows(1).rows)}, within=5
    )  # is there such a Service?
    labels = ",".join(f"{key}={value}" for key, value in found["spec"]["selector"].get("matchLabels", {}).items())
    await lab.time.eventually(
        lambda: lab.objects.all("Pod", labels),
        lambda pods: not any(pod["metadata"].get("deletionTimestamp") for pod in pods),
        expected="no pods of the program before", shown=lambda pods: f"{len(pods)} pods", within=GONE_WITHIN,
    )  # fmt: skip
    for _ in range(TRIES):
        pods = await serving(lab)
        seen = Seen(pods, await sent(lab, pods))
        now = await lab.objects.pods_of("model")
        if identities(pods) == identities(now):
            return seen
    expect(Observation(False, "the same pods before and after", f"{described(pods)}; then {described(now)}")).because(
        "a pod that is started again begins to count at 0. kubectl get pods shows restarts, kubectl describe pod why"
    )
    raise AssertionError("unreachable")


async def serving(lab: Lab) -> list[Object]:
    """The pods that the Service sends requests to, each with the port that it is asked on."""
    service = (await lab.objects.named("Service", "model").now() or {}).get("spec", {})
    name = next((each.get("name", "") for each in service.get("ports") or [] if each["port"] == PORT), "")
    ports: dict[str, int] = {}
    for piece in await lab.objects.all("EndpointSlice", "kubernetes.io/service-name=model"):
        for port in piece.get("ports") or []:
            for endpoint in piece.get("endpoints") or []:
                ready = (endpoint.get("conditions") or {}).get("ready", True)
                if ready and port.get("port") and port.get("name", "") == name:
                    ports.update({address: int(port["port"]) for address in endpoint["addresses"]})
    pods = [pod for pod in await lab.objects.pods_of("model") if (pod.get("status") or {}).get("podIP") in ports]
    expect(Observation(bool(pods), "ready pods behind Service model", "none")).because(
        "the Service's selector has to match the pods' labels, and its targetPort a port of theirs: "
        "kubectl get endpointslices"
    )
    return [pod | {"port": ports[pod["status"]["podIP"]]} for pod in pods]


async def sent(lab: Lab, pods: list[Object]) -> Object:
    """Run traffic.py on these pods."""
    kinds = {"predict": (40, 60), "refused": (15, 25), "unknown": (110, 140), "crash": (8, 15), "method": (4, 8)}
    plan = {
        "service": [await lab.traffic.host("model"), PORT],
        "pods": [target(pod) for pod in pods],
        "rows": list(lab.traffic.hidden_rows(500).rows),
        "kinds": {kind: random.randint(*bounds) for kind, bounds in kinds.items()} | {"quoted": 5, "nameless": 8},
    }
    program = (Path(__file__).parent / "traffic.py").read_text()
    output = await lab.programs.run(
        "workbench:1", "python3", "/checker/traffic.py", "/checker/plan.json",
        files={"traffic.py": program, "plan.json": json.dumps(plan)}, within=SENT_WITHIN,
    )  # fmt: skip
    return output.json()


def target(pod: Object) -> Object:
    """A pod as traffic.py takes it; `metrics`: where they may be."""
    notes, port = pod["metadata"].get("annotations") or {}, pod["port"]
    places = [[port, "/metrics"]]
    if re.fullmatch("[0-9]{1,5}", str(notes.get("prometheus.io/port", ""))):
        places.insert(0, [int(notes["prometheus.io/port"]), notes.get("prometheus.io/path", "/metrics")])
    return {
        "name": pod["metadata"]["name"], "address": pod["status"]["podIP"], "port": port, "metrics": places,
    }  # fmt: skip


def identities(pods: Iterable[Object]) -> set[tuple[str, int]]:
    """What changes when a pod is replaced or a container of it is started again."""
    return {(pod["metadata"]["uid"], restarts(pod)) for pod in pods}


def restarts(pod: Object) -> int:
    return sum(int(each.get("restartCount") or 0) for each in pod["status"].get("containerStatuses") or [])


def described(pods: Iterable[Object]) -> str:
    return ", ".join(f"{pod['metadata']['name']} ({restarts(pod)} restarts)" for pod in pods)


def served(seen: Seen) -> None:
    """All requests were answered."""
    trouble = seen.whole["trouble"]
    expect(Observation(not trouble, "each pod answers each request", trouble or "each pod answers")).because(
        "the Service's targetPort must be the port that the program listens on, and each answer must come within 10 s: "
        "kubectl logs deployment/model, kubectl get endpointslices"
    )
    lost = [each for each in seen.answers if not each["status"] or (each["status"] == 200 and each["error"])]
    expect(
        Observation(
            not lost,
            "an answer to each request",
            f"{len(lost)} of {len(seen.answers)} have none: {lost[0]['kind']}: {lost[0]['error']}"
            if lost
            else "each request has its answer",
        )
    ).because("kubectl logs deployment/model says what became of them")


def right(lab: Lab, first: Object) -> Observation:
    """The model's own values in an answer."""
    hidden, version, given = lab.traffic.hidden_rows(500), first.get("version"), first.get("probabilities") or []
    own = hidden.probabilities(version) if version in ("v1", "v2") else []
    own = [own[(first["first"] + number) % len(own)] for number in range(first["rows"])] if own else []
    apart = difference(given, own) if own else None
    return Observation(
        first["status"] == 200 and apart is not None and apart <= WITHIN,
        f"{first['rows']} probabilities from {first['pod']}, within 1e-6 of the model's own",
        f"status {first['status']}, model_version {version}, {len(given)} probabilities"
        + ("" if apart is None else f", {apart:.1e} away"),
    )


def why_no_metrics(scrape: Object) -> str:
    error = str(scrape.get("error", ""))
    if "it begins" in error:
        return (
            "FastAPI makes JSON of what a handler returns, Flask HTML: answer with the text itself, "
            "Response(generate_latest(), media_type=CONTENT_TYPE_LATEST) or content_type= in Flask"
        )
    return (
        "generate_latest() of prometheus_client makes the text of all metrics of the process; a route GET /metrics "
        "answers it. Look at it: kubectl port-forward deployment/model 8080, then curl localhost:8080/metrics"
    )


def names(seen: Seen) -> str:
    """The names of metrics that there are."""
    found = sorted({name for each in seen.after.values() for name in each.get("names", ())})
    return ", ".join(found[:8]) or "none but the process' own"


def kind(seen: Seen, metric: str, wanted: str) -> Observation:
    """The type of a metric; where a text does not tell one, there is nothing to hold against it."""
    found = {each["types"].get(metric, "unknown") for each in seen.after.values()}
    return Observation(
        found <= {wanted, "unknown", "untyped"}, f"{metric} is a {wanted}", f"it is a {', '.join(sorted(found))}"
    )


def histogram(seen: Seen, name: str, metric: str) -> Observation:
    """Each pod has the buckets, the count and the sum."""
    whole = all(
        each[name]["buckets"] and None not in (each[name]["count"], each[name]["sum"]) for each in seen.after.values()
    )
    types = {each["types"].get(metric) for each in seen.after.values()} - {None}
    where = f'{metric}{{route="{ROUTE}"}}' if metric == LATENCY else metric
    return Observation(
        whole,
        f"{where} of each pod: a histogram",
        f"it is a {', '.join(sorted(map(str, types)))}" if types else f"the pods have {names(seen)}",
    )


def below(values: list[float], bound: float) -> int:
    return sum(value <= bound for value in values)


def holds(buckets: Object, share: float) -> tuple[float, float]:
    """The bounds of the bucket that a quantile falls into."""
    low, total = 0.0, max(buckets.values(), default=0)
    for high, number in sorted((float(bound), number) for bound, number in buckets.items()):
        if number >= share * total:
            return low, high
        low = high
    return low, math.inf


PROCESSES = (
    "each process has its own registry, and a scrape of a pod with several worker processes reaches one of them. Run "
    "one process in a pod and more pods, or let prometheus-client add them up (its multiprocess mode)"
)


async def why_not_scraped(lab: Lab, seen: Seen, has: dict[tuple[str, str], float]) -> str:
    """Why Prometheus lacks what the pods have, as far as it knows.

    Raises:
        LabError: it does not scrape on its schedule.
    """
    up_here = f'up{{job="pods", {lab.platform.prometheus.matcher}}}'
    age = await lab.platform.prometheus.query(f"min(time() - timestamp({up_here}))")
    if age and (age[0].points[-1][1] or 0) > STALE:
        raise LabError(
            f"Prometheus has scraped nothing here for {age[0].points[-1][1]:.0f} s",
            "the machine may be too busy; see how Prometheus is: lab status",
        )
    found = await lab.platform.prometheus.query(up_here)
    up = [each for each in found if each.labels.get("pod") in seen.after]
    down = sorted({each.labels.get("instance", "") for each in up if not each.points[-1][1]})
    typed = next(iter(seen.after.values())).get("type", "")
    if not up:
        return (
            "Prometheus scrapes none of these pods. It looks at the annotations of pods, so they belong into the "
            'Deployment\'s pod template (spec.template.metadata.annotations): prometheus.io/scrape: "true", a string'
        )
    if down and not typed.startswith(TEXTS):
        return (
            f"Prometheus asks {', '.join(down)} and does not take the answer (up is 0): its Content-Type is "
            f"{typed or 'missing'}, and Prometheus reads only what is declared as a format of its own. "
            "prometheus_client.CONTENT_TYPE_LATEST has the right one"
        )
    if down:
        return (
            f"Prometheus asks {', '.join(down)} and gets no metrics there (up is 0). It asks each pod itself, not the "
            "Service: prometheus.io/port must be the port that the program listens on, prometheus.io/path where it has "
            "its metrics"
        )
    if len(up) > len(seen.after):
        return (
            "Prometheus scrapes a pod more than once. Without prometheus.io/port it asks each port that the containers "
            "declare, and what is found on two is kept twice"
        )
    if has:
        return "requests of others than the checker were counted meanwhile; end them and check again"
    return (
        "Prometheus scrapes the pods (up is 1), and finds no http_requests_total there: prometheus.io/path must lead "
        "to the same metrics as the program's own /metrics"
    )


async def logged(lab: Lab, seen: Seen, answers: list[Object]) -> Observation:
    """There is a line in the pods' logs for each of these answers."""

    async def look() -> tuple[list[tuple[str, str]], list[str]]:
        lines = await log(lab, seen.pods)
        kept = records(lines)
        missing = []
        for each in answers:
            word = each["returned"] or each["given"]
            if not any(fits(line, each) for line in kept.get(word, ())):
                missing.append((word, f"{each['status']} {each['path']}, id {word}"))
        return missing, lines

    def shown(found: tuple[list[tuple[str, str]], list[str]]) -> str:
        return f"{len(found[0])} missing: {found[0][0][1]}" if found[0] else "each has its line"

    wanted = f"a line of JSON with request_id, path and status for each of {len(answers)} answers"
    found = await lab.time.eventually(
        look, lambda found: not found[0], expected=wanted, shown=shown, within=LOGGED_WITHIN
    )
    if found.ok:
        return found
    (word, _), *_ = found.value[0]
    there = [line for line in found.value[1] if word in line]
    said = f"what the log says of it: {there[-1][:200]}" if there else "that id is nowhere in the log"
    return Observation(False, found.expected, found.seen, None, (said,))


async def log(lab: Lab, pods: list[Object]) -> list[str]:
    """The last lines of the pods' logs."""
    found: list[str] = []
    for pod in pods:
        for container in pod["spec"]["containers"]:
            name = pod["metadata"]["name"]
            found += (await lab.objects.logs(name, container["name"], tail=LINES)).splitlines()
    return found


def records(lines: list[str]) -> dict[str, list[Object]]:
    """The lines that are JSON objects, by their request_id."""
    found: dict[str, list[Object]] = {}
    for line in lines:
        if line.lstrip().startswith("{"):
            try:
                said = json.loads(line)
            except (ValueError, RecursionError):
                continue
            found.setdefault(str(said.get("request_id")), []).append(said)
    return found


def fits(line: Object, answer: Object) -> bool:
    """Is a line about an answer? Of a path with quotes and breaks in it nobody says how it must be written."""
    path = str(line.get("path", "")).partition("?")[0]
    return str(line.get("status")) == str(answer["status"]) and (path == answer["path"] or answer["kind"] == "quoted")
