"""Which tasks make an exam: weights that meet the domains' shares, minutes that fill the time, no two that collide.

Exact, and quick: subsets are never listed. For each domain a table says which minutes are reachable with which weight
(a bit for each minute), the domains' tables are added up, and one way is drawn backwards through the tables.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor
from random import Random

# Percentage points by which a domain's weight may differ from its share.
SHARE_WITHIN = 3
# The part of the time that the tasks' minutes fill at least.
FILLED = 0.85
# A quick sitting.
QUICK_TASKS, QUICK_MINUTES = 4, 25

Table = list[int]  # by weight: the minutes that are reachable, as bits


@dataclass(frozen=True)
class Offer:
    """What a choice knows of a task."""

    name: str
    domain: str
    weight: int
    minutes: int
    claims: frozenset[str] = frozenset()


def choose(offers: Sequence[Offer], shares: Mapping[str, int], minutes: int, random: Random) -> list[Offer]:
    """Tasks for an exam, drawn; none if these can't make one.

    Args:
        offers: in an order that is the same everywhere.
        shares: each domain's, in percent.
    """
    for turn, peaceful in enumerate(_without_collisions(offers, random)):
        if found := _chosen(peaceful, shares, minutes, random):
            random.shuffle(found)
            return found
        if turn == 0 and not _chosen(offers, shares, minutes, random):  # not even if tasks could collide
            break
    return []


def choose_few(offers: Sequence[Offer], count: int, minutes: int, random: Random) -> list[Offer]:
    """So many tasks of different domains that fill the time, drawn; none if these can't."""
    order = random.sample(offers, len(offers))

    def more(found: list[Offer], begin: int, left: int) -> list[Offer]:
        if len(found) == count:
            return found if left <= minutes - ceil(minutes * FILLED) else []
        for place in range(begin, len(order)):
            each = order[place]
            fits = each.minutes <= left and all(
                each.domain != other.domain and not each.claims & other.claims for other in found
            )
            if fits and (whole := more([*found, each], place + 1, left - each.minutes)):
                return whole
        return []

    return more([], 0, minutes)


def missing(offers: Sequence[Offer], shares: Mapping[str, int], minutes: int) -> str:
    """What these tasks lack for an exam, in words."""
    lacks = []
    for domain, share in shares.items():
        has = sum(each.minutes for each in offers if each.domain == domain)
        wants = ceil(minutes * FILLED * (share - SHARE_WITHIN) / 100)
        if has < wants:
            lacks.append(f"{domain} has {has} of about {wants} minutes")
    return "; ".join(lacks) or "no set of its tasks meets the domains' shares, and the time"


def scaled(weights: Mapping[str, Sequence[int]]) -> dict[str, list[int]]:
    """The weights of each domain's tasks as whole percents that sum to 100.

    First each domain gets the percents of its tasks together, then each task its part of those: by the largest
    remainder each time. A domain whose exact part is within some whole points of its share so stays within them.
    """
    domains = list(weights)
    wholes = _apportioned([sum(weights[domain]) for domain in domains], 100)
    return {
        domain: _apportioned(weights[domain], whole) for domain, whole in zip(domains, wholes, strict=True)
    }  # fmt: skip


def _apportioned(parts: Sequence[int], whole: int) -> list[int]:
    """Whole numbers in the relation of the parts; none is 0 if that can be."""
    total = sum(parts)
    found = [part * whole // total for part in parts]
    order = sorted(range(len(parts)), key=lambda place: (-(parts[place] * whole % total), place))
    for place in order[: whole - sum(found)]:
        found[place] += 1
    while 0 in found and max(found) > 1:
        found[found.index(max(found))] -= 1
        found[found.index(0)] += 1
    return found


def _without_collisions(offers: Sequence[Offer], random: Random) -> Iterator[list[Offer]]:
    """The largest sets without two tasks that claim the same, in a random order."""
    claims = [claim for each in offers for claim in each.claims]
    contested = [each for each in offers if any(claims.count(claim) > 1 for claim in each.claims)]
    names = {each.name for each in contested}
    free = [each for each in offers if each.name not in names]
    order = random.sample(contested, len(contested))

    def sets(place: int, held: tuple[Offer, ...]) -> Iterator[tuple[Offer, ...]]:
        if place == len(order):
            left_out = [each for each in order if each not in held]
            if all(any(each.claims & other.claims for other in held) for each in left_out):
                yield held
            return
        each = order[place]
        collides = any(each.claims & other.claims for other in held)
        if not collides:
            yield from sets(place + 1, (*held, each))
        if collides or any(each.claims & other.claims for other in order[place + 1 :]):
            yield from sets(place + 1, held)

    for held in sets(0, ()):
        yield [*free, *held]


def _chosen(offers: Sequence[Offer], shares: Mapping[str, int], minutes: int, random: Random) -> list[Offer]:
    domains = list(shares)
    own = {domain: [each for each in offers if each.domain == domain] for domain in domains}
    if not all(own.values()):
        return []
    for items in own.values():
        random.shuffle(items)
    tables = {domain: _tables(own[domain], minutes) for domain in domains}
    whole = [tables[domain][-1] for domain in domains]
    wanted = sum(1 << each for each in range(ceil(minutes * FILLED), minutes + 1))
    for total in _totals(offers, minutes, random):
        spans = [_span(shares[domain], total) for domain in domains]
        sums = _sums(whole, spans, total, minutes)
        if ends := sums[-1].get(total, 0) & wanted:
            rates = [sum(each.minutes for each in items) / sum(each.weight for each in items) for items in own.values()]
            middle = sum(rate * share for rate, share in zip(rates, shares.values(), strict=True)) * total / 100
            time = min(_bits(ends), key=lambda each: _nearness(each, middle, random))
            found: list[Offer] = []
            for place, (weight, part) in _parts(sums, whole, spans, rates, total, time, random):
                domain = domains[place]
                found += _subset(own[domain], tables[domain], weight, part, random)
            return found
    return []


def _totals(offers: Sequence[Offer], minutes: int, random: Random) -> list[int]:
    """Sums of weights that may be, those near to what the time holds on average first, more or less."""
    rates = [each.weight / each.minutes for each in offers]
    low, high = floor(minutes * FILLED * min(rates)), ceil(minutes * max(rates))
    middle = minutes * sum(each.weight for each in offers) / sum(each.minutes for each in offers)
    nearness = {total: _nearness(total, middle, random) for total in range(max(low, 1), high + 1)}
    return sorted(nearness, key=lambda total: (nearness[total], total))


def _nearness(value: int, middle: float, random: Random) -> float:
    """Smaller for what is near, more or less; what is far needs the same few tasks each time."""
    return (abs(value - middle) + 0.5) * random.random()


def _span(share: int, total: int) -> range:
    """The weights that a domain may have of a total."""
    low, high = (share - SHARE_WITHIN) * total, (share + SHARE_WITHIN) * total
    return range(max(1, -(-low // 100)), high // 100 + 1)


def _tables(items: Sequence[Offer], minutes: int) -> list[Table]:
    """What is reachable with none of the items, with the first, the first two, and so on."""
    kept = (1 << (minutes + 1)) - 1
    table = [1] + [0] * sum(each.weight for each in items)
    found = [table]
    for each in items:
        table = [
            here | (table[weight - each.weight] << each.minutes & kept if weight >= each.weight else 0)
            for weight, here in enumerate(table)
        ]
        found.append(table)
    return found


def _sums(whole: Sequence[Table], spans: Sequence[range], total: int, minutes: int) -> list[dict[int, int]]:
    """For none of the domains, the first, the first two and so on: minutes that are reachable, by weight.

    Only weights with which the others can still come to the total.
    """
    kept = (1 << (minutes + 1)) - 1
    found: list[dict[int, int]] = [{0: 1}]
    for place, (table, span) in enumerate(zip(whole, spans, strict=True)):
        rest = spans[place + 1 :]
        low, high = total - sum(each.stop - 1 for each in rest), total - sum(each.start for each in rest)
        after: dict[int, int] = {}
        for before, reached in found[-1].items():
            for weight in range(max(span.start, low - before), min(span.stop - 1, high - before, len(table) - 1) + 1):
                if own := table[weight]:
                    after[before + weight] = after.get(before + weight, 0) | _added(reached, own)
        found.append({weight: reached & kept for weight, reached in after.items()})
    return found


def _added(one: int, other: int) -> int:
    """The minutes that are reachable with one of each."""
    if one.bit_count() > other.bit_count():
        one, other = other, one
    found = 0
    while one:
        lowest = one & -one
        found |= other * lowest
        one ^= lowest
    return found


def _parts(
    sums: Sequence[dict[int, int]],
    whole: Sequence[Table],
    spans: Sequence[range],
    rates: Sequence[float],
    total: int,
    time: int,
    random: Random,
) -> Iterator[tuple[int, tuple[int, int]]]:
    """Each domain's weight and minutes, the last domain's first."""
    for place in range(len(whole) - 1, -1, -1):
        before, table = sums[place], whole[place]
        ways = [
            (weight, part)
            for weight in spans[place]
            if weight < len(table)
            for part in _bits(table[weight])
            if part <= time and before.get(total - weight, 0) >> (time - part) & 1
        ]
        weight, part = min(ways, key=lambda way: _nearness(way[1], way[0] * rates[place], random))
        yield place, (weight, part)
        total, time = total - weight, time - part


def _subset(items: Sequence[Offer], tables: Sequence[Table], weight: int, time: int, random: Random) -> list[Offer]:
    """Items of just that weight and time."""
    found = []
    for place in range(len(items) - 1, -1, -1):
        each, before = items[place], tables[place]
        without = before[weight] >> time & 1
        with_it = (
            weight >= each.weight and time >= each.minutes
            and before[weight - each.weight] >> (time - each.minutes) & 1
        )  # fmt: skip
        if with_it and (not without or random.random() < 0.5):
            found.append(each)
            weight, time = weight - each.weight, time - each.minutes
    return found


def _bits(number: int) -> Iterator[int]:
    while number:
        lowest = number & -number
        yield lowest.bit_length() - 1
        number ^= lowest
