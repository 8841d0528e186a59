"""The recommender's service."""

import models
from follow import Model, application

app, model = application(), Model("recommend")


@app.get("/recommendations")
def recommendations(passenger: str = ""):
    version, learnt = model.chosen()
    return {"version": version, "recommendations": models.recommend(learnt, passenger)}


@app.get("/model")
def whole():
    version, learnt = model.by_alias["production"]
    return {"version": version, "model": learnt}


@app.get("/healthz")
def healthz():
    return model.health()
