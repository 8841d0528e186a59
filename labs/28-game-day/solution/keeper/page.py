"""The page of a passenger: what the share may cost next month, and where to fly."""

import os
from concurrent.futures import ThreadPoolExecutor
from html import escape
from urllib.parse import quote

from serving import fetch, log, serve

WITHIN = 0.9  # s for both parts
FORECAST, RECOMMEND = os.environ.get("FORECAST", "http://forecast"), os.environ.get("RECOMMEND", "http://recommend")
AWAY = "not available"
pool = ThreadPoolExecutor(64)


def part(url, id, shown):
    try:
        return shown(fetch(url, within=WITHIN, headers={"X-Request-Id": id}))
    except Exception as trouble:
        log(request_id=id, url=url, trouble=repr(trouble))
        return AWAY


def page(request):
    passenger, id = request.query.get("passenger", ""), request.id
    asked = [
        pool.submit(part, f"{FORECAST}/forecast?months=1", id, lambda said: f"{said['forecast'][0]['price']:.2f}"),
        pool.submit(
            part, f"{RECOMMEND}/recommendations?passenger={quote(passenger)}", id,
            lambda said: escape(" ".join(said["recommendations"])),
        ),
    ]  # fmt: skip
    found = []
    for each in asked:
        try:
            found.append(each.result(timeout=WITHIN + 0.3))
        except Exception:  # a name that is not found may take longer than the limit
            found.append(AWAY)
    return f"""<!doctype html><html lang="en"><head><title>Your airline</title></head><body>
<h1>Good day, {escape(passenger) or "stranger"}</h1>
<p>Our share next month: <span id="forecast">{found[0]}</span></p>
<p>Fly to: <span id="recommendations">{found[1]}</span></p></body></html>"""


if __name__ == "__main__":
    serve({"GET /": page})
