"""What came back to clients: an answer to each request, with its status, its id, and the model's own values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from mlops_lab.checks import Lab, Observation, expect, holds
from mlops_lab.kube.client import Object
from mlops_lab.measure.traffic.flights import difference

from .scenario import WITHIN, Seen

EXPECTED = {
    "predict": (200,), "odd": (200,), "nameless": (200,), "refused": (422,), "unknown": (404,), "quoted": (404,),
    "crash": (500,), "method": (405,), "alive": (200,), "broken": (422, 400, 500),
    "deep": (422, 400, 500), "misplaced": (422, 400, 500), "again": (200,), "sized": (200,), "read": (200,),
}  # fmt: skip


def served(seen: Seen) -> None:
    """All requests were answered."""
    trouble = seen.whole["trouble"]
    said = "each pod answers each request"
    expect(Observation(not trouble, said, trouble or said, timed="within" in trouble or None)).because(
        "the Service's targetPort must be the port that the program listens on, and each answer must come within 10 s: "
        "kubectl logs deployment/model, kubectl get endpointslices"
    )
    lost = [each for each in seen.answers if not each["status"] or (each["status"] == 200 and each["error"])]
    first = f": {lost[0]['kind']}: {lost[0]['error']}" if lost else ""
    said = "an answer to each request"
    otherwise = f"{len(lost)} of {len(seen.answers)} have none{first}"
    late = any("within" in each["error"] for each in lost if not each["status"])
    expect(Observation(not lost, said, otherwise if lost else said, timed=late or None)).because(
        "kubectl logs deployment/model says what became of them"
    )


def each_has_its_status(seen: Seen) -> Observation:
    """Each kind of request is answered with its own status."""
    strange = Counter(
        f"{each['kind']}: {each['status']}" for each in seen.answers if each["status"] not in EXPECTED[each["kind"]]
    )
    return holds(
        not strange,
        "200 to flights and GET /healthz, 422 to bad rows, 404 to unknown paths, 405 to GET, PUT, PATCH and DELETE "
        "/predict, 500 to hour 24",
        ", ".join(f"{number} x {what}" for what, number in strange.items()),
    )


def crashed(answer: Object) -> bool:
    """Did the request end in an exception? What is no JSON, and lists in lists, may do so or not."""
    kind: str = answer["kind"]
    return kind == "crash" or (kind in ("broken", "deep", "misplaced") and bool(answer["status"] == 500))


def each_is_json(seen: Seen) -> Observation:
    """Each answer about flights says that it is JSON."""
    found = {
        each["type"] for each in seen.answers if each["status"] == 200 and each["kind"] not in ("alive", "refused")
    }
    other = sorted(each for each in found if each.partition(";")[0].strip().lower() != "application/json")
    return holds(not other, "Content-Type application/json of each answer about flights", ", ".join(other) or "none")


def own_pods_answer(seen: Seen) -> Observation:
    """Nothing but the pods of Deployment `model` is behind the Service."""
    return holds(
        not seen.strange,
        "behind Service model the pods of Deployment model alone",
        f"also {', '.join(seen.strange[:3])}",
    )


def each_has_its_line(seen: Seen) -> Observation:
    """Each good answer has the line that a display shows, for each flight, and no field that was not there before."""
    wrong = [each["lines"] for each in seen.answers if each.get("lines")]
    shown = f"{len(wrong)} answers differ: {wrong[0]}" if wrong else ""
    return holds(not wrong, "`lines` in each answer, one for each flight, as they were, and no field more", shown)


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


def strange_are_right(seen: Seen) -> Observation:
    """The model's own values also where weather is null or left out, and where codes are new."""
    odd = [each for each in seen.answers if each["kind"] == "odd" and each["status"] == 200]
    wrong = [each.get("apart") for each in odd if each.get("apart") is None or each["apart"] > WITHIN]
    first = "no such values" if wrong and wrong[0] is None else f"{wrong[0]:.1e} away" if wrong else ""
    return Observation(
        not wrong,
        f"the model's own values within 1e-6 in {len(odd)} answers about flights without weather and with new codes",
        f"{len(wrong)} are not: {first}" if wrong else "all are",
    )


def ids_are_made(answers: Sequence[Object]) -> Observation:
    """Each answer to a request without an id has a new one."""
    without = [each for each in answers if not each["given"]]
    made = [each["returned"] for each in without]
    lacking = sorted({f"{each['status']} {each['kind']}" for each in without if not each["returned"]})
    return Observation(
        all(made) and len(set(made)) == len(made),
        f"{len(made)} ids made for {len(made)} requests without one",
        f"{len(set(made) - {''})} different ids, {made.count('')} answers without"
        + (f" ({', '.join(lacking)})" if lacking else ""),
    )


def ids_come_back(answers: Sequence[Object]) -> Observation:
    """Each answer to a request with an id has that id."""
    lost = [each for each in answers if each["given"] and each["returned"] != each["given"]]
    first = lost[0] if lost else dict.fromkeys(("returned", "given", "status", "path"))
    return holds(
        not lost,
        "x-request-id in the answer as it was in the request",
        f"{len(lost)} of {len(answers)} answers have another: {first['returned'] or 'none'} instead of "
        f"{first['given']} ({first['status']} {first['path']})",
    )
