"""The way to the models, with FastAPI: which one a user gets follows from the user's name and the candidate's.

It asks Service `control` what goes on, and keeps what it has seen until that takes it.
"""

import asyncio
import contextlib
import http.client
import json
import os
import time
import zlib

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool

CONTROL = os.environ.get("CONTROL", "control")
goes_on, seen = {}, []


def arm_of(user: str) -> str:
    """The model that a user gets."""
    if goes_on["state"] != "running":
        return "candidate" if goes_on["state"] == "promoted" else "stable"
    return "candidate" if zlib.crc32(f"{goes_on['candidate']}/{user}".encode()) % 1000 < 100 else "stable"


def call(host: str, method: str, path: str, body: bytes = b"", within: float = 9.0) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(host, timeout=within)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException):
        return 503, b'{"detail": "no answer"}'
    finally:
        connection.close()


async def follow() -> None:
    """Ask twice a second what goes on; who can't be asked has nothing new to say."""
    while True:
        status, text = await run_in_threadpool(call, CONTROL, "GET", "/canary", b"", 3.0)
        if status == 200:
            goes_on.update(json.loads(text))
        await asyncio.sleep(0.5)


@contextlib.asynccontextmanager
async def lifespan(_: FastAPI):
    following = asyncio.create_task(follow())
    yield
    following.cancel()


app = FastAPI(lifespan=lifespan)


@app.get("/readyz")
async def readyz() -> Response:
    return Response(status_code=200 if goes_on else 503)


@app.post("/predict")
async def predict(request: Request) -> Response:
    body, user = await request.body(), request.headers.get("x-user", "")
    canary, arm = goes_on["number"], arm_of(user)
    began = time.perf_counter()
    status, text = await run_in_threadpool(call, goes_on[arm], "POST", "/predict", body)
    seen.append([canary, arm, status >= 500, time.perf_counter() - began])
    del seen[:-50_000]
    return Response(text, status, media_type="application/json")


@app.post("/seen")
async def taken() -> list:
    """What came since this was asked last; control asks."""
    new, seen[:] = list(seen), []
    return new


@app.post("/outcomes")
async def outcomes(request: Request) -> Response:
    """Handed on with the model that each user gets."""
    known = json.loads(await request.body())["outcomes"]
    said = [[goes_on["number"], arm_of(each["user"]), each["probability"], each["late"]] for each in known]
    status, text = await run_in_threadpool(call, CONTROL, "POST", "/outcomes", json.dumps(said).encode())
    return Response(text, status, media_type="application/json")


@app.api_route("/canary", methods=["GET", "PUT"])
async def canary(request: Request) -> Response:
    status, text = await run_in_threadpool(call, CONTROL, request.method, "/canary", await request.body())
    return Response(text, status, media_type="application/json")
