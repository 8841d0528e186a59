"""The model server, as the data scientists hand it over. It is not yours to change; the Deployment around it is.

It loads the model, and listens on port 8080 after that. One event loop does all the work: while that is busy, or hangs,
nothing is answered. `drill.py` plays incidents in it.
"""

import asyncio
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from flight_delay.model import Model
from pydantic import BaseModel

DRILLS = ("127.0.0.1", 9000)  # only from inside the pod
away_until = 0.0  # the feature store, without which there is no answer, is away until then (time.monotonic)


class Question(BaseModel):
    rows: list[dict[str, Any]]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    threading.Thread(target=take_drills, args=(asyncio.get_running_loop(),), daemon=True).start()
    yield


app = FastAPI(lifespan=lifespan)
model = Model(Path("/model/v1"), float(os.environ.get("MODEL_LOAD_SECONDS", "20")))


@app.post("/predict")
async def predict(question: Question) -> JSONResponse:
    if time.monotonic() < away_until:
        return unavailable()
    version, probabilities = model.answer(question.rows)
    return JSONResponse({"model_version": version, "probabilities": probabilities})


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    return {"status": "alive"}


@app.get("/readyz")
async def readyz() -> JSONResponse:
    return unavailable() if time.monotonic() < away_until else JSONResponse({"status": "ready"})


@app.get("/version")
async def version() -> dict[str, Any]:
    return {"model_version": model.version, "pod": socket.gethostname(), "load_seconds": round(model.load_seconds, 1)}


def unavailable() -> JSONResponse:
    return JSONResponse({"detail": "the feature store is away"}, status_code=503)


def take_drills(loop: asyncio.AbstractEventLoop) -> None:
    """Take one line for each connection, have the event loop do what it says, and answer with one line."""
    with socket.create_server(DRILLS) as listener:
        while True:
            connection, _ = listener.accept()
            with connection, connection.makefile("rw") as stream:
                words = stream.readline().split()
                try:
                    said = drill(loop, words[0], *map(float, words[1:]))
                except (IndexError, TypeError, ValueError):
                    said = "error: it is hang, busy SECONDS or unready SECONDS"
                print(f"drill {' '.join(words)}: {said}", flush=True)
                stream.write(said + "\n")


def drill(loop: asyncio.AbstractEventLoop, what: str, seconds: float = 0) -> str:
    """Begin an incident, and return once it has begun; ValueError if there is no such one."""
    global away_until
    if what == "unready":
        away_until = time.monotonic() + seconds
        return f"ok: the feature store is away for {seconds:g} s"
    if what not in ("busy", "hang"):
        raise ValueError(what)
    begun = threading.Event()

    def block() -> None:
        begun.set()
        if what == "busy":
            time.sleep(seconds)
        else:
            threading.Event().wait()  # for ever: nobody sets it

    loop.call_soon_threadsafe(block)
    if not begun.wait(5):
        return "error: the event loop does something else"
    return f"ok: the event loop is busy for {seconds:g} s" if what == "busy" else "ok: the event loop hangs"


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # until uvicorn takes over
    print("loading the model", flush=True)
    model.start_loading().join()
    if model.reason:
        sys.exit(model.reason)
    print(f"the model is loaded, after {model.load_seconds:.1f} s; listening on port 8080", flush=True)
    uvicorn.run(app, host="0.0.0.0", port=8080, log_level="warning", timeout_graceful_shutdown=20)
