"""The flight-delay service: so far it only says that it is alive."""

from fastapi import FastAPI

app = FastAPI(title="flight-delay")


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process lives."""
    return {"status": "alive"}
