"""The page of a passenger."""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from html import escape
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse
from follow import application
from serving import fetch

FORECAST, RECOMMEND = os.environ.get("FORECAST", "http://forecast"), os.environ.get("RECOMMEND", "http://recommend")
app = application()
pool = ThreadPoolExecutor(96)


async def asked(url, id, shown):
    """A part of the page, or that there is none."""
    loop = asyncio.get_running_loop()
    try:
        work = loop.run_in_executor(pool, lambda: fetch(url, within=0.8, headers={"X-Request-Id": id}))
        return shown(await asyncio.wait_for(work, 1.0))
    except Exception:
        return "<em>not available</em>"


@app.get("/", response_class=HTMLResponse)
async def page(request: Request, passenger: str = ""):
    id = request.headers.get("x-request-id", "")
    price, dests = await asyncio.gather(
        asked(f"{FORECAST}/forecast", id, lambda said: f"{said['forecast'][0]['price']:.2f}"),
        asked(
            f"{RECOMMEND}/recommendations?{urlencode({'passenger': passenger})}", id,
            lambda said: "".join(f"<li>{escape(dest)} </li>" for dest in said["recommendations"]),
        ),
    )  # fmt: skip
    return f"""<!doctype html>
<title>Your airline</title>
<p>Welcome aboard, {escape(passenger)}. What our share may be worth in a month: <b id="forecast">{price}</b>.</p>
<ul id="recommendations">{dests}</ul>
"""


@app.get("/healthz")
def healthz():
    return {}
