"""The gateway as a FastAPI application; whatever it logs is JSON, with the id of the request that it is about."""

import contextvars
import json
import logging
import sys
import time
import urllib.error
import urllib.request
import uuid

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool

MODEL = "http://model"
ID = contextvars.ContextVar("request_id", default="")


class Json(logging.Formatter):
    def format(self, record):
        line = {"time": round(record.created, 3), "level": record.levelname, "event": record.getMessage()}
        return json.dumps(line | {"request_id": ID.get()} | getattr(record, "fields", {}))


handler = logging.StreamHandler(sys.stdout)
handler.setFormatter(Json())
logging.basicConfig(level=logging.INFO, handlers=[handler])
log = logging.getLogger("gateway")
app = FastAPI()


def ask(path, body):
    """The model's answer: its status and its body."""
    headers = {"Content-Type": "application/json", "X-Request-ID": ID.get()}
    request = urllib.request.Request(MODEL + path, body, headers)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read()
    except OSError as trouble:
        log.warning("the model does not answer", extra={"fields": {"error": str(trouble)}})
        return 502, b'{"detail": "the model does not answer"}'


@app.get("/healthz")
async def healthz():
    return {}


@app.post("/{path:path}")
async def forward(path: str, request: Request):
    began = time.perf_counter()
    ID.set(request.headers.get("x-request-id") or str(uuid.uuid4()))
    status, body = await run_in_threadpool(ask, f"/{path}", await request.body())
    fields = {"path": f"/{path}", "status": status, "seconds": round(time.perf_counter() - began, 5)}
    log.info("request", extra={"fields": fields})
    return Response(body, status, {"X-Request-ID": ID.get()}, "application/json")
