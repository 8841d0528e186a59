"""First step of the pipeline: learn both models, and register what is new; /made/new.json says what is."""

import json
import os
from pathlib import Path

import models
import registry
import valid
from serving import fetch, log

MADE = Path(os.environ.get("MADE", "/made")) / "new.json"
STEPS = {
    "forecast": ("http://exchange/prices", valid.prices, models.fit_forecast),
    "recommend": ("http://bookings/bookings", valid.bookings, models.fit_recommender),
}

new = {}
for what, (url, checked, fit) in STEPS.items():
    try:
        model = fit(checked(fetch(url, within=10)))
        approved = registry.by_alias(what, "approved")
        if approved is None or registry.read(what, approved) != model:
            new[what] = registry.register(what, model)
    except (OSError, ValueError) as trouble:
        log(what=what, refused=str(trouble))
MADE.write_text(json.dumps(new))
log(new=new)
