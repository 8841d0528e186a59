"""All pages' addresses."""

from __future__ import annotations

from embedded.pages import (
    artifacts,
    compare,
    experiments,
    forms,
    links,
    pipelines,
    recurring,
    render,
    run,
    runs,
)

# What begins with a word before what begins with a key.
ROUTES = [
    *render.ROUTES,
    *links.ROUTES,
    *forms.ROUTES,
    *compare.ROUTES,
    *runs.ROUTES,
    *run.ROUTES,
    *artifacts.ROUTES,
    *pipelines.ROUTES,
    *experiments.ROUTES,
    *recurring.ROUTES,
]
