"""Learn both models from the feeds; let a new version answer a part of the requests, then all."""

import sys
import time

import models
import registry
import rows
from serving import fetch, log

FEEDS = {
    "forecast": ("http://exchange/prices", rows.wrong_prices, models.fit_forecast),
    "recommend": ("http://bookings/bookings", rows.wrong_bookings, models.fit_recommender),
}
CANARY = 26  # s


def learnt(what):
    """The number of a new version; None if what is served has learnt from the same rows.

    Raises ValueError if a row is wrong.
    """
    url, wrong, fit = FEEDS[what]
    data = fetch(url, within=10)
    if said := wrong(data):
        raise ValueError(f"{what}: {said}")
    model, serving = fit(data), registry.by_alias(what, "production")
    try:
        if serving and registry.read(what, serving) == model:
            return None
    except OSError as trouble:
        log(what=what, trouble=repr(trouble))
    return registry.register(what, model, {"rows": len(data), "trained": "yes"})


def main():
    new, failed = {}, False
    for what in FEEDS:
        try:
            if version := learnt(what):
                new[what] = version
        except (OSError, ValueError) as trouble:
            log(what=what, refused=str(trouble))
            failed = True
    waiting = [what for what in new if registry.by_alias(what, "production")]
    for what in waiting:
        registry.set_alias(what, "candidate", new[what])
    bad = watched(waiting, new) if waiting else set()
    for what, version in new.items():
        if what not in bad:
            registry.set_alias(what, "production", version)
        registry.drop_alias(what, "candidate")
        log(what=what, version=version, released=what not in bad)
    sys.exit(failed or bool(bad))


def watched(waiting, new):
    """Which candidates did not answer well in the time of the canary."""
    end, seen, bad = time.monotonic() + CANARY, {}, set()
    asked = {"forecast": "forecast?months=1", "recommend": "recommendations?passenger=p-0"}
    while time.monotonic() < end:
        for what in waiting:
            try:
                version = fetch(f"http://{what}/{asked[what]}", within=2)["version"]
                seen[version == new[what], what] = seen.get((version == new[what], what), 0) + 1
            except (OSError, ValueError, KeyError) as trouble:
                log(what=what, canary=repr(trouble))
        time.sleep(0.2)
    log(canary={f"{what} {'new' if is_new else 'old'}": number for (is_new, what), number in seen.items()})
    return bad


if __name__ == "__main__":
    main()
