"""Why a pod shows no metrics, or Prometheus lacks what it shows."""

from __future__ import annotations

from mlops_lab.checks import Lab
from mlops_lab.kit.scraping import targets
from mlops_lab.kube.client import Object

from .scenario import Counts, Seen

TEXTS = ("text/plain", "application/openmetrics-text", "application/vnd.google.protobuf")
PROCESSES = (
    "each process has its own registry, and a scrape of a pod with several worker processes reaches one of them. Run "
    "one process in a pod and more pods, or let prometheus-client add them up (its multiprocess mode)"
)


def why_no_metrics(scrape: Object) -> str:
    """Why a pod's answer is no metrics, by what came from it."""
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
