"""The pods' metrics as traffic.py read them, and as the platform's Prometheus has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlops_lab.checks import Lab, Observation, holds
from mlops_lab.kit.scraping import newest
from mlops_lab.kube.client import Object

from .scenario import REQUESTS, ROUTE, Counts, Seen

SCRAPED_WITHIN = 35  # s: three scrapes, and what they take


def each_shows_metrics(seen: Seen) -> Observation:
    """Each pod shows metrics each time that it is asked; the value is what came from one that did not."""
    bad = {
        name: each
        for when in ("before", "early", "read", "middle", "later", "after")
        for name, each in seen.whole[when].items()
        if "error" in each
    }
    nowhere: tuple[str, Object] = ("", {})
    name, worst = next(iter(bad.items()), nowhere)
    return Observation(
        not bad,
        f"metrics of each of {len(seen.after)} pods, each time that they are asked",
        f"{name}: {worst['error']}" if bad else "each pod shows its metrics",
        worst,
    )


def names_only(version: str, found: Sequence[Any]) -> bool:
    """Does `model_info` name this version and no other? Several processes may each have a series of their own.

    Of a process that was forked before it was set there is a 0.
    """
    values = {value for _, value in found}
    return {labels.get("version") for labels, _ in found} == {version} and {1} <= values <= {0, 1}


def names(seen: Seen) -> str:
    """The names of metrics that there are."""
    found = sorted({name for each in seen.after.values() for name in each.get("names", ())})
    return ", ".join(found[:8]) or "none but the process' own"


def has_type(seen: Seen, metric: str, wanted: str) -> Observation:
    """The type of a metric; where a text does not tell one, there is nothing to hold against it."""
    found = {each["types"].get(metric, "unknown") for each in seen.after.values()}
    return Observation(
        found <= {wanted, "unknown", "untyped"}, f"{metric} is a {wanted}", f"it is a {', '.join(sorted(found))}"
    )


def same_for_all(seen: Seen) -> Observation:
    """Several that ask a pod at the same time see the same counts."""
    several = {name: counts for name, counts in seen.whole["at_once"].items() if len(counts) > 1}
    return holds(
        not several,
        "a pod that nobody asks anything gives the same counts, whoever looks",
        "; ".join(f"{name}: {', '.join(f'{each:g}' for each in counts)} in all" for name, counts in several.items()),
    )


async def counts_in_prometheus(lab: Lab, seen: Seen) -> Observation:
    """Wait until Prometheus has the pods' own counts of /predict; the value is those that it has."""
    own: Counts = {
        (name, key.partition(" ")[2]): value
        for name, each in seen.after.items()
        for key, value in each["requests"].items()
        if key.startswith(f"{ROUTE} ")
    }
    query = f'sum by (pod, status) ({REQUESTS}{{{lab.platform.prometheus.matcher}, route="{ROUTE}"}})'

    async def look() -> Counts:
        found = await lab.platform.prometheus.query(query)
        kept = {(each.labels.get("pod", ""), each.labels.get("status", "")): newest(each) for each in found}
        return {key: value for key, value in kept.items() if key[0] in seen.after}

    def shown(has: Counts) -> str:
        if not has:
            return f"no {REQUESTS} of these pods"
        apart = [
            f"{pod} {status}: {has.get((pod, status), 0):g}, not {value:g}"
            for (pod, status), value in own.items()
            if has.get((pod, status)) != value
        ]
        return "; ".join(apart[:3]) or "the same"

    return await lab.time.eventually(
        look, lambda has: has == own, expected=f"the {len(own)} counts of {ROUTE} in Prometheus", shown=shown,
        within=SCRAPED_WITHIN,
    )  # fmt: skip
