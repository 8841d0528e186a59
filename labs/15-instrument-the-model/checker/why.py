"""Why a pod shows no metrics, or other numbers than came, or Prometheus lacks what it shows."""

from __future__ import annotations

from mlops_lab.checks import Lab, Observation
from mlops_lab.kit.scraping import targets
from mlops_lab.kube.client import Object
from mlops_lab.measure.cluster.environment import SYSTEM_NAMESPACE

from .scenario import Counts, Seen

PLACES = ("prometheus.io/port", "prometheus.io/path")  # annotations
TEXTS = ("text/plain", "application/openmetrics-text", "application/vnd.google.protobuf")
PROCESSES = (
    "each process has its own registry, and a scrape of a pod with several worker processes reaches one of them. Run "
    "one process in a pod and more pods, or let prometheus-client add them up (its multiprocess mode)"
)


def why_no_metrics(seen: Seen, scrape: Object) -> str:
    """Why a pod's answer is no metrics, by what came from it, and by where its annotations say that they are."""
    error = str(scrape.get("error", ""))
    if "it begins" in error:
        return (
            "FastAPI makes JSON of what a handler returns, Flask HTML: answer with the text itself, "
            "Response(generate_latest(), media_type=CONTENT_TYPE_LATEST) or content_type= in Flask"
        )
    notes = {key for pod in seen.pods for key in pod["metadata"].get("annotations") or {} if key in PLACES}
    if notes:
        return (
            f"{' and '.join(sorted(notes))} of the pods' annotations say where metrics are: a port that the program "
            "listens on in the pod, and a path. There the checker asks first, from namespace "
            f"{SYSTEM_NAMESPACE}: where no answer comes, does a NetworkPolicy let in Prometheus alone? Look at it: "
            "kubectl port-forward deployment/model and that port, then curl"
        )
    return (
        "generate_latest() of prometheus_client makes the text of all metrics of the process; a route GET /metrics "
        "answers it. Look at it: kubectl port-forward deployment/model 8080, then curl localhost:8080/metrics"
    )


def why_other_rise(rise: Observation, wanted: int, usual: str) -> str:
    """Why another number of answers was counted than came, each of one status.

    Args:
        usual: why there may be fewer.
    """
    if rise.value <= wanted:
        return usual
    return (
        "more were counted than the checker got. An answer counts once: what an error handler or an `except` counts "
        "must not be counted again where all answers are. Or somebody else asks as well: without prometheus.io/port "
        "Prometheus asks each port that the containers declare, and what it gets where no metrics are is an answer, too"
    )


def why_other_count(seen: Seen, count: float) -> str:
    """Why another number of probabilities was observed than clients got."""
    given = f"there were {seen.got(200)} answers with {len(seen.probabilities)} probabilities"
    if count > len(seen.probabilities):
        return (
            f"{given}, and more were observed: some twice, or some that nobody got, as where a request ends in an "
            "exception once the model has answered. Observe each once, when nothing can go wrong any more"
        )
    return f"{given}. Each probability is an observation of its own; a mean hides what a drift would show"


async def why_not_scraped(lab: Lab, seen: Seen, has: Counts) -> str:
    """Why Prometheus lacks what the pods have, as far as it knows.

    Raises:
        LabError: it does not scrape on its schedule.
    """
    found = [each for each in await targets(lab) if each.pod in seen.after]
    down = sorted({each.instance for each in found if not each.up})
    content_type = next(iter(seen.after.values())).get("type", "")
    if not found:
        return (
            "Prometheus scrapes none of these pods. It looks at the annotations of pods, so they belong into the "
            'Deployment\'s pod template (spec.template.metadata.annotations): prometheus.io/scrape: "true", a string'
        )
    if down and not content_type.startswith(TEXTS):
        return (
            f"Prometheus asks {', '.join(down)} and does not take the answer (up is 0): its Content-Type is "
            f"{content_type or 'missing'}, and Prometheus reads only what is declared as a format of its own. "
            "prometheus_client.CONTENT_TYPE_LATEST has the right one"
        )
    if down:
        return (
            f"Prometheus asks {', '.join(down)} and gets no metrics there (up is 0). It asks each pod itself, not the "
            "Service: prometheus.io/port must be the port that the program listens on, prometheus.io/path where it has "
            "its metrics"
        )
    if len(found) > len(seen.after):
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
