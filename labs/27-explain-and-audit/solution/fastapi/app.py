"""The credit service: what a request does, and who may do it. A decision is the replay of a record just made."""

import hashlib
import json
import secrets
import uuid
from datetime import UTC, datetime
from pathlib import Path

from bank import member
from fastapi import FastAPI, HTTPException, Request, Response
from kept import Kept
from reasons import decided

# The program is its files: another comment in one of them makes another digest.
CODE = hashlib.sha256(b"\0".join(each.read_bytes() for each in sorted(Path(__file__).parent.glob("*.py")))).hexdigest()

app = FastAPI(title="credit")
kept = Kept(Path("/data/credit.sqlite"))


def now() -> str:
    """The moment, UTC."""
    return datetime.now(UTC).isoformat()


def staff(request: Request, *roles: str) -> str:
    """The name of whose token it is; roles: who may, anybody if none is named."""
    found = member(request.headers.get("authorization"))
    if found is None:
        raise HTTPException(401, "a token of the staff's is needed")
    if roles and found["role"] not in roles:
        raise HTTPException(403, f"that is for {' and '.join(roles)}")
    return found["name"]


# Handlers run in the event loop, one after the other, and none waits in between: so nothing comes between two lines.
@app.get("/healthz")
async def healthz() -> dict:
    """The process lives."""
    return {"status": "alive"}


@app.put("/models/{version}", status_code=201)
async def hand_in(version: str, request: Request) -> dict:
    """Keep a model file."""
    by, file = staff(request), await request.body()
    known = kept.model(version)
    if known is None:
        json.loads(file)
        kept.hand_in(version, file, by, now())
    elif known.file != file:
        raise HTTPException(409, f"{version} is another file, and stays it")
    return {"model": version}


@app.post("/models/{version}/approval", status_code=201)
async def approve(version: str, request: Request) -> dict:
    """From now on this model decides."""
    by, model = staff(request, "risk"), kept.model(version)
    if model is None:
        raise HTTPException(404, f"there is no model {version}")
    if model.by == by:
        raise HTTPException(403, "who hands a model in does not approve it")
    kept.approve(model, by, now())
    return {"model": version}


@app.post("/decisions")
async def decide(request: Request) -> Response:
    """A record, kept, and what follows from it."""
    application, model = await request.json(), kept.in_service()
    if model is None:
        raise HTTPException(409, "no model has been approved yet")
    record = {"decision": str(uuid.uuid4()), "at": now(), "model": model.version, "code": CODE}
    record |= {"application": application, "salt": secrets.token_hex(32)}
    answer = decided(json.loads(model.file), record)
    kept.decide(record, json.dumps(record).encode())
    return Response(answer, media_type="application/json")


@app.get("/decisions/{number}")
async def show(number: str) -> Response:
    """The record, as it was kept."""
    record = kept.record(number)
    if record is None:
        raise HTTPException(410 if kept.was_erased(number) else 404, "there is no record of it")
    return Response(record, media_type="application/json")


@app.post("/replays")
async def replay(request: Request) -> Response:
    """What follows from a record, whoever made it."""
    record = await request.json()
    model = kept.model(record["model"])
    if record["code"] != CODE or model is None:
        raise HTTPException(409, "that model or that code is not here")
    return Response(decided(json.loads(model.file), record), media_type="application/json")


@app.post("/erasures")
async def erase(request: Request) -> dict:
    """Forget a person."""
    by = staff(request, "privacy")
    return {"erased": kept.erase((await request.json())["person"], by, now())}


@app.get("/trail")
async def trail(request: Request) -> Response:
    """A hundred lines."""
    lines = kept.lines(int(request.query_params.get("from", 1)), 100)
    return Response(b"".join(line + b"\n" for line in lines), media_type="application/x-ndjson")


@app.get("/trail/head")
async def head() -> dict:
    """How long it is, and the last line's digest."""
    lines, sha256 = kept.head()
    return {"lines": lines, "sha256": sha256}


@app.post("/audits")
async def audit(request: Request) -> dict:
    """Look a copy over."""
    asked = await request.json()
    *lines, _ = asked["trail"].encode().split(b"\n")
    digests = [hashlib.sha256(line).hexdigest() for line in lines]
    for number, (line, before) in enumerate(zip(lines, ["0" * 64, *digests], strict=False), 1):
        if named(line) != before:
            return {"whole": False, "line": number}
    count = asked["head"]["lines"]
    if not 1 <= count <= len(lines) or digests[count - 1] != asked["head"]["sha256"]:
        return {"whole": False, "line": None}
    return {"whole": True}


def named(line: bytes) -> str | None:
    """What a line of a copy says of the one before it."""
    try:
        return json.loads(line)["previous"]
    except (ValueError, KeyError, TypeError):
        return None
