"""The rise of the two histograms, against the seconds that the checker waited and the probabilities that came back."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

from mlops_lab.checks import Observation, holds
from mlops_lab.kube.client import Object

from .metrics import names
from .scenario import ROUTE, WITHIN, Seen

LATENCY = "http_request_duration_seconds"
PREDICTIONS = "model_prediction_probability"
CERTAIN = 0.1  # the widest bucket that a decile of the predictions may fall into
FINE, FACTOR = 0.01, 3  # s below which a latency need not be told apart, and above it by which factor it must be
FEW = 1 / 3  # of the requests that are long to read may be counted as short
LEAST, MOST = 0.5, 1.2  # the server's seconds: of the quickest answer, for each; of all that the client waited
# s more for each large request: some servers read the clock once they have sent the answer and let go of the request,
# while this client makes the next one already. Not for brief requests: what they take tells a constant from a measure.
SENT_BEFORE = 0.1


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


def times_each_answer(seen: Seen) -> Observation:
    """The count of latencies rises by all good answers, and by no more than all requests."""
    good, every = seen.got(200), sum(each["path"] == ROUTE for each in seen.sent)
    count = seen.histogram_rise("latency")["count"]
    return Observation(
        good <= count <= every,
        f"{LATENCY}_count of {ROUTE} rises by {good} to {every}",
        f"by {count:g}",
        what=f"{LATENCY}_count rises",
    )


def times_in_seconds(seen: Seen) -> list[Observation]:
    """The sum of latencies rises by what the checker waited, in brief requests, in long ones, and where most of the
    time goes into reading the request.
    """
    return [
        _in_seconds(seen, seen.brief, "middle", "later", "brief requests"),
        _in_seconds(seen, seen.timed, "later", "after", "long requests", SENT_BEFORE),
        _in_seconds(seen, seen.read, "early", "read", "requests with a large field that nobody knows", SENT_BEFORE),
    ]


def _in_seconds(
    seen: Seen, answers: Sequence[Object], since: str, until: str, what: str, later: float = 0.0
) -> Observation:
    waited = [each["seconds"] for each in answers]
    spent = seen.histogram_rise("latency", since, until)["sum"]
    least, most = LEAST * min(waited) * len(waited), MOST * sum(waited) + later * len(waited)
    return Observation(
        least <= spent <= most,
        f"{LATENCY}_sum rises by {least:.3g} to {most:.3g}, in {len(waited)} {what} that took the checker "
        f"{sum(waited):.3g} s",
        f"by {spent:.3g}",
        what=f"{LATENCY}_sum rises",
    )


def times_the_reading(seen: Seen) -> Observation:
    """Of requests that are long to read few are in buckets of at most half of the quickest's time.

    Their sum says less: where the machine is busy, one that took long makes up for all that were counted short.
    """
    most = LEAST * min(each["seconds"] for each in seen.read)
    rise = seen.histogram_rise("latency", "early", "read")
    short = max((number for bound, number in rise["buckets"].items() if float(bound) <= most), default=0)
    return Observation(
        short <= FEW * len(seen.read),
        f"at most {FEW * len(seen.read):.0f} of {len(seen.read)} requests with a large field that nobody knows in the "
        f"buckets of {LATENCY} that end at {most * 1000:.3g} ms or less, half of the quickest answer",
        f"{short:g} are there",
    )


def is_cumulative(seen: Seen) -> Observation:
    """The last bucket of the latencies rises like the count, and none by less than a lower one."""
    rise = seen.histogram_rise("latency")
    count, buckets = rise["count"], rise["buckets"]
    rises = [number for _, number in _sorted(buckets)]
    return Observation(
        buckets["inf"] == count and all(one <= other for one, other in itertools.pairwise(rises)),
        f'le="+Inf" of {LATENCY}_bucket rises by {count:g} like the count, and no bucket by less than a lower one',
        f"the buckets rise by {', '.join(f'{number:g}' for number in rises)}",
        what=f"{LATENCY}_bucket rises",
    )


def tells_apart(seen: Seen, share: float, what: str) -> Observation:
    """The bucket that a quantile of the latencies falls into is narrow, or of short times only."""
    low, high = bucket_of(seen.histogram_rise("latency")["buckets"], share)
    return Observation(
        high <= FINE or (low > 0 and math.isfinite(high) and high / low <= FACTOR * 1.001),
        f"a bucket for the {what} that ends at {FINE * 1000:g} ms or less, or at most {FACTOR} times where it begins",
        f"the {what} is between {low:g} and {high:g} s",
    )


def counts_each_probability(seen: Seen) -> Observation:
    """The count of predictions rises by one for each probability."""
    count, given = seen.histogram_rise("predictions")["count"], len(seen.probabilities)
    return Observation(count == given > 0, f"{PREDICTIONS}_count rises by {given}", f"by {count:g}", count)


def sums_probabilities(seen: Seen) -> Observation:
    """The sum of predictions rises by the sum of the probabilities."""
    rise, given = seen.histogram_rise("predictions")["sum"], seen.probabilities
    total = sum(given)
    return Observation(
        abs(rise - total) <= 0.001 + WITHIN * len(given),
        f"{PREDICTIONS}_sum rises by {total:.3f}",
        f"by {rise:.3f}",
        what=f"{PREDICTIONS}_sum rises",
    )


def fills_buckets(seen: Seen) -> Observation:
    """Each bucket of the predictions rises by the probabilities that are at most its bound."""
    given = seen.probabilities
    wrong = [
        f'le="{bound}": {number:g} instead of {_below(given, edge)}'
        for bound, number in seen.histogram_rise("predictions")["buckets"].items()
        if not _below(given, (edge := float(bound)) - WITHIN) <= number <= _below(given, edge + WITHIN)
    ]
    return holds(not wrong, "each bucket holds what is at most its bound", "; ".join(wrong[:3]))


def tells_deciles(seen: Seen) -> Observation:
    """The bucket of each decile of the predictions is narrow."""
    given = sorted(seen.probabilities)
    bounds = sorted(map(float, seen.histogram_rise("predictions")["buckets"]))
    wide = []
    for tenth in range(1, 10):
        value = given[len(given) * tenth // 10]
        low = max([bound for bound in bounds if bound < value], default=0.0)
        high = min([1.0, *(bound for bound in bounds if bound >= value)])
        if high - low > CERTAIN + WITHIN:
            wide.append(f"{tenth * 10} % are below {value:.2f}, and the bucket goes from {low:g} to {high:g}")
    return holds(
        not wide, f"each decile of the predictions lies in a bucket at most {CERTAIN:g} wide", "; ".join(wide[:2])
    )


def bucket_of(buckets: Mapping[str, float], share: float) -> tuple[float, float]:
    """The bounds of the bucket that a quantile falls into."""
    low, total = 0.0, max(buckets.values(), default=0)
    for high, number in _sorted(buckets):
        if number >= share * total:
            return low, high
        low = high
    return low, math.inf


def _sorted(buckets: Mapping[str, float]) -> list[tuple[float, float]]:
    return sorted((float(bound), number) for bound, number in buckets.items())


def _below(values: Sequence[float], bound: float) -> int:
    return sum(value <= bound for value in values)
