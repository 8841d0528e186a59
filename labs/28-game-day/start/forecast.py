"""The forecast as a colleague has left it: it learns when it starts, and works until the exchange errs."""

import models
from serving import fetch, serve

model = models.fit_forecast(fetch("http://exchange/prices", within=10))


def forecast(request):
    return {"forecast": models.forecast(model, int(request.query.get("months", 1)))}


serve({"GET /forecast": forecast})
