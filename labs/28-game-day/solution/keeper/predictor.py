"""A model's service: follows the aliases of its registered model. WHAT says which, forecast or recommend."""

import os
import random
import sys
import threading
import time

import models
import registry
from serving import log, serve

WHAT = os.environ["WHAT"]
SHARE, EVERY = 0.15, 2.0  # of the requests to a candidate; s
held = {}  # by alias: (version, model)


def follow():
    while True:
        for alias in ("production", "candidate"):
            try:
                version = registry.by_alias(WHAT, alias)
                if version is None:
                    if alias == "candidate":
                        held.pop(alias, None)
                elif held.get(alias, ("",))[0] != version:
                    held[alias] = version, registry.read(WHAT, version)
                    log(alias=alias, version=version)
            except Exception as trouble:  # what was read before goes on answering
                log(alias=alias, trouble=repr(trouble))
        time.sleep(EVERY)


def chosen():
    candidate = held.get("candidate")
    return candidate if candidate and random.random() < SHARE else held["production"]


def forecast(request):
    months = int(request.query.get("months", 1))
    if not 1 <= months <= 24:
        return 400, {"error": "months is 1 to 24"}
    version, model = chosen()
    return {"version": version, "forecast": models.forecast(model, months)}


def recommendations(request):
    version, model = chosen()
    return {"version": version, "recommendations": models.recommend(model, request.query.get("passenger", ""))}


def whole(request):
    version, model = held["production"]
    return {"version": version, "model": model}


def healthy(request):
    return {} if "production" in held else (503, {})


if __name__ == "__main__":
    threading.Thread(target=follow, daemon=True).start()
    own = {"GET /forecast": forecast} if WHAT == "forecast" else {"GET /recommendations": recommendations}
    serve({**own, "GET /model": whole, "GET /healthz": healthy})
    sys.exit(1)
