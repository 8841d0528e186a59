"""What the services share: a line of JSON for each request, and a model that follows the registry's aliases."""

import itertools
import threading
import time

import registry
from fastapi import FastAPI, Request, Response
from serving import log

EVERY, EACH = 1.5, 8  # s; the candidate answers each eighth request


def application():
    app = FastAPI(openapi_url=None)
    app.state.times = []

    @app.middleware("http")
    async def logged(request: Request, call_next):
        began = time.monotonic()
        answer = await call_next(request)
        if request.url.path not in ("/healthz", "/busy"):
            app.state.times.append(began)
            id = request.headers.get("x-request-id", "")
            log(
                path=request.url.path,
                request_id=id,
                status=answer.status_code,
                seconds=round(time.monotonic() - began, 4),
            )
        return answer

    @app.get("/busy")
    def busy():
        app.state.times = [each for each in app.state.times if each > time.monotonic() - 10]
        return {"rate": len(app.state.times) / 10}

    return app


class Model:
    """The versions of a model that answer now."""

    def __init__(self, what):
        self.what, self.by_alias, self.numbers = what, {}, itertools.count()
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self):
        while True:
            for alias in ("production", "candidate"):
                try:
                    self._take(alias, registry.by_alias(self.what, alias))
                except Exception as trouble:
                    log(alias=alias, trouble=repr(trouble))
            time.sleep(EVERY)

    def _take(self, alias, version):
        if version is None and alias == "candidate":
            self.by_alias.pop(alias, None)
        elif version and self.by_alias.get(alias, ("",))[0] != version:
            known = [each for each in self.by_alias.values() if each[0] == version]
            self.by_alias[alias] = known[0] if known else (version, registry.read(self.what, version))

    def chosen(self):
        candidate = self.by_alias.get("candidate")
        return candidate if candidate and next(self.numbers) % EACH == 0 else self.by_alias["production"]

    def health(self):
        return Response(status_code=200 if "production" in self.by_alias else 503)
