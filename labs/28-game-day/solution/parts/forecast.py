"""The forecast's service."""

import models
from fastapi import Query
from follow import Model, application

app, model = application(), Model("forecast")


@app.get("/forecast")
def forecast(months: int = Query(1, ge=1, le=24)):
    version, learnt = model.chosen()
    return {"version": version, "forecast": models.forecast(learnt, months)}


@app.get("/healthz")
def healthz():
    return model.health()
