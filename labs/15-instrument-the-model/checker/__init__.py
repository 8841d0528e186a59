"""Lab 15: what the pods' metrics and logs say, against what the checker sent and what came back."""

from __future__ import annotations

from mlops_lab.checks import Lab, Observation, at_most, check, equal_to, expect, holds, observe
from mlops_lab.kit.next_pods import WRITTEN_BY_HAND, scraped_as_before
from mlops_lab.kit.prerequisites import must

from .answers import (
    crashed,
    each_has_its_line,
    each_has_its_status,
    each_is_json,
    ids_are_made,
    ids_come_back,
    own_pods_answer,
    right,
    served,
    strange_are_right,
)
from .histograms import (
    LATENCY,
    PREDICTIONS,
    counts_each_probability,
    fills_buckets,
    histogram,
    is_cumulative,
    sums_probabilities,
    tells_apart,
    tells_deciles,
    times_each_answer,
    times_in_seconds,
    times_the_reading,
)
from .lines import logged, why_other_line
from .metrics import counts_in_prometheus, each_shows_metrics, has_type, names, names_only, same_for_all
from .other_model import other_model
from .scenario import REQUESTS, ROUTE, measured
from .why import PROCESSES, why_no_metrics, why_not_scraped, why_other_count, why_other_rise

NEW_SERIES = 10  # that a pod may have more after requests of the kinds that it has had
OBSERVED = ("ckad/observability-and-maintenance",)
LOGS = ("ckad/observability-and-maintenance", "cka/troubleshooting")


@check(points=1, domains=("ckad/deployment", *OBSERVED))
async def shows_metrics(lab: Lab) -> None:
    """Service `model` answers as before, and each of its pods answers GET /metrics in Prometheus' text format.

    Its pods are those of Deployment `model` alone. As before: the model's own values for flights that you don't see,
    and the lines that a display shows, as JSON and with no field more, also where a flight has no weather, codes that
    are new, or fields that nobody knows; 422 to a row with a field out of its range, of another type, null or left out,
    to what is no row, and to no rows or too many; 404 to an unknown path, 405 to wrong methods, 500 to hour 24. The
    metrics are looked for where the pod's annotations say, then on the port that it serves on, from namespace
    mlops-lab-system. The checker waits up to 90 s for the Deployment.
    """
    seen = await lab.once(measured)
    served(seen)
    must(
        own_pods_answer(seen),
        "the task is Deployment model, and what else is behind the Service answers in its place: kubectl get pods "
        "--show-labels shows whose labels the Service's selector matches",
    )
    for first in seen.first("predict"):
        expect(right(lab, first)).because(
            "what a server tells of itself must not change what it answers: kubectl logs deployment/model"
        )
    expect(strange_are_right(seen)).because(
        "weather that is null or left out goes to the model as None, and codes as they came: MODEL knows what stands "
        "for what is missing or new, and a 0 is another flight"
    )
    expect(each_has_its_line(seen)).because(
        "displays show what is in `lines` and do not know how it is made: the answer's fields are theirs, as they "
        "were. What is new, such as an id, goes into a header"
    )
    expect(each_is_json(seen)).because(
        "clients go by the Content-Type, and take no JSON from what calls itself a page. FastAPI and Flask's jsonify "
        "say application/json; of a text that a handler returns Flask says text/html"
    )
    expect(each_has_its_status(seen)).because(
        "the statuses are what your clients know, and what is counted here. That hour 24 ends in a 500 is a fault that "
        "others mend; while it is there it has to be seen"
    )
    shown = each_shows_metrics(seen)
    expect(shown).because(why_no_metrics(seen, shown.value))
    named = {metric for each in seen.after.values() for metric in each["types"]}
    expect(
        Observation(bool(named), f"{REQUESTS} or another metric of the task", ", ".join(sorted(named)) or names(seen))
    ).because("the platform's rules and dashboards know these metrics by the names in the task, to the letter")


@check(points=1, needs=shows_metrics, domains=OBSERVED)
async def names_the_model(lab: Lab) -> None:
    """Each pod has `model_info` with the label `version`, value 1, and the version that its answers come from.

    So has a copy of a pod with the other model in MODEL_DIR, which the checker starts beside yours; the name of the
    folder there says nothing of the version.
    """
    seen = await lab.once(measured)
    for first in seen.first("predict"):
        found = seen.after[first["pod"]]["model"]
        expect(
            Observation(
                names_only(first["version"], found),
                f'model_info{{version="{first["version"]}"}} 1, the model_version of the answers of {first["pod"]}',
                ", ".join(f"{labels} {value:g}" for labels, value in found[:3]) or names(seen),
            )
        ).because(
            "a rate or a latency is joined with this series to see which version it belongs to. So no series has "
            "another version, not even with 0; and the version comes from the model that is loaded, and not from a "
            "constant, which is right until the next model"
        )
    expect(await other_model(lab, seen)).because(
        "next week MODEL_DIR names another folder, and nobody will change the program for it. What the model is called "
        "says MODEL.version, and neither a constant nor the folder's name"
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
    expect(same_for_all(seen)).because(PROCESSES)
    fell = seen.whole["fell"]
    expect(holds(not fell, "counts that only rise", f"{', '.join(fell)} counted less than a moment before")).because(
        "nobody sets a counter back, as several may look: Prometheus keeps what it saw and computes the difference "
        "between two times itself. Only a process that is started again begins at 0. Or several processes answer in "
        f"turn: {PROCESSES}"
    )
    expect(seen.rise(f"{ROUTE} 200", seen.got(200))).because(
        "the label route is the route's path, status the status code, such as 200, and each request counts once. If "
        f"less was counted than sent: {PROCESSES}"
    )
    expect(has_type(seen, REQUESTS, "counter")).because(
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
    for status, ending in ((422, f"{ROUTE} 422"), (404, " 404"), (405, " 405")):
        counted = seen.rise(ending, seen.got(status))
        expect(counted).because(why_other_rise(counted, seen.got(status), why))


@check(points=2, needs=counts_answers, domains=OBSERVED)
async def times_requests(lab: Lab) -> None:
    """The histogram `http_request_duration_seconds{route="/predict"}` has each answer, in seconds, in fitting buckets.

    Its count, and its last bucket with it, rises by all the answers with status 200 and by no more than all requests.
    In brief requests, in long ones, and in those with a large field that nobody knows, which take longer to read than
    the model takes, one after the other, its sum rises by the seconds that the checker waited: at most 1.2 times those,
    and 0.1 s more for each that is not brief, as the clock may be read once the answer is sent; and for each request at
    least half of the quickest. Of those that are long to read no more than a third are in buckets below that. The
    buckets that the median and the 95th percentile fall into end at 10 ms or less, or at most at 3 times where they
    begin.
    """
    seen = await lab.once(measured)
    expect(histogram(seen, "latency", LATENCY)).because(
        "a histogram has _bucket, _sum and _count. Quantiles that a server computes itself (a summary) can't be added "
        "up over pods"
    )
    expect(times_each_answer(seen)).because(
        "one observation for each answer: not for each flight in it, and not for some of them"
    )
    for timed in (*times_in_seconds(seen), times_the_reading(seen)):
        expect(timed).because(
            "the unit is in the name: seconds, as everywhere in Prometheus (time.perf_counter() gives them). The clock "
            "starts when the request comes and is read when the answer is there: a client waits while its request is "
            "read, too, and not for the model alone"
        )
    expect(is_cumulative(seen)).because(
        "buckets are cumulative: each counts what is at most its bound, and the last one everything. prometheus-client "
        "does that itself, in observe()"
    )
    for share, what in ((0.5, "median"), (0.95, "95th percentile")):
        expect(tells_apart(seen, share, what)).because(
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
    counted = counts_each_probability(seen)
    expect(counted).because(why_other_count(seen, counted.value))
    expect(sums_probabilities(seen)).because(
        "what is observed is the probability as the client gets it: from 0 to 1, no percent and no class"
    )
    expect(fills_buckets(seen)).because(
        "buckets are cumulative: what is at most 0.2 is also at most 0.3. prometheus-client does that itself"
    )
    expect(tells_deciles(seen)).because(
        "the default buckets are made for seconds that a request takes. Probabilities lie between 0 and 1: buckets=... "
        "with bounds there; the bins in which drift is computed are these"
    )


@check(points=2, needs=counts_answers, domains=OBSERVED)
async def stays_bounded(lab: Lab) -> None:
    """Hundreds of paths, displays, queries and ids that nobody sent before make at most 10 new series at each pod.

    By then each pod has had all carriers, airports and hours that the flights have, and from 1 to 1000 flights at once.

    So do requests with a Referer, an Accept-Language and an X-Forwarded-For of their own, requests of other sizes, and
    bad bodies whose fault is in another place each time; and so do methods, hosts and other headers that no client has,
    in requests for unknown paths. Any answer to the last ones will do. Nor has a label the address of who asks, of
    which there are as many as clients.
    """
    seen = await lab.once(measured)
    for name, places in seen.whole["telling"].items():
        told = ", ".join(f"{label} of {metric}" for metric, label in places[:3])
        expect(holds(not places, "no label with the address of who asks", f"at {name}: {told}")).because(
            "the checker asks from one address, and forty thousand displays from as many: each would have series of "
            "its own. Who asked belongs into the log"
        )
    for name, grown in seen.whole["grown"].items():
        must(
            holds(grown is not None, f"metrics of {name} at the end, too", "it shows none any more"),
            "it has shown them before: what came in between were methods, hosts and headers that no client has",
        )
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
    """Within 35 s Prometheus has the same `http_requests_total{route="/predict"}` as the pods themselves.

    The Deployment's template has the annotations by which it scrapes them, so that it does their successors, too.
    """
    seen = await lab.once(measured)
    found = await counts_in_prometheus(lab, seen)
    expect(found).because("" if found.ok else await why_not_scraped(lab, seen, found.value))
    must(
        scraped_as_before(await lab.objects.deployment("model").present(), seen.pods),
        WRITTEN_BY_HAND,
    )


@check(points=3, domains=LOGS)
async def logs_requests(lab: Lab) -> None:
    """Each answer has the request's `x-request-id`, a new one if it has none, and within 10 s the log has its line.

    That line is a JSON object with `request_id`, `path` and `status`. Looked at are all answers but those to hour 24,
    those with status 500 to NaN, infinity and lists in lists, and those to GET /healthz.
    """
    seen = await lab.once(measured)
    served(seen)
    kept = [each for each in seen.answers if each["kind"] != "alive" and not crashed(each)]
    expect(ids_come_back(kept)).because(
        "whoever sends an id looks for it in the logs of all services that the request went through. A new one is made "
        "only where none came; it goes back as a header of the answer, whatever the answer is"
    )
    expect(ids_are_made(kept)).because(
        "an id that several requests share leads to all of them; uuid.uuid4().hex makes one that none shares. Whatever "
        "the answer is, its request has one: also where no handler was called"
    )
    told = await logged(lab, seen, kept)
    expect(told).because(
        why_other_line(told.value)
        or "one line per request, on standard output, flushed, and in one write with its line break: what print(line) "
        "writes in two, another thread or process may part. What clients send may have quotes and line breaks in it: "
        "json.dumps makes a line that can be read again, whatever is in it"
    )


@check(points=3, needs=(counts_answers, logs_requests), domains=LOGS)
async def tells_of_crashes(lab: Lab) -> None:
    """A request that ends in an exception is counted with status 500 at route /predict, and has its id and its line.

    These are the requests with hour 24; and those with NaN or infinity in the place of a whole number, and with lists
    in lists in the place of a code, where they end so, too: FastAPI can't write its own refusal of them.
    """
    seen = await lab.once(measured)
    why = (
        "an exception leaves the handler and every middleware on its way, past the lines behind call_next; somebody "
        "outside of them all makes the 500. What tells of a request must catch it: except Exception, answer 500, "
        "and then count and log as ever. The handler of hour 24 is one place of many, and its ValueError one exception "
        "of many: with NaN in a number FastAPI fails to write its own 422, and with lists in lists that ends in a "
        "RecursionError"
    )
    counted = seen.rise(f"{ROUTE} 500", seen.got(500))
    expect(counted).because(why_other_rise(counted, seen.got(500), why))
    found = [each for each in seen.answers if crashed(each)]
    lost = sum(each["returned"] != each["given"] for each in found if each["given"])
    expect(observe("answers with status 500 that lack the request's x-request-id", lost, equal_to(0))).because(why)
    expect(ids_are_made(found)).because(
        "who makes the 500 makes the id as well, where none came; or it is made before anything can go wrong"
    )
    told = await logged(lab, seen, found)
    expect(told).because(why_other_line(told.value) or why)
