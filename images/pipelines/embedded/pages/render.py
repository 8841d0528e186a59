"""Templates, what they may call, and the answers made of them."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from embedded import jsons
from embedded.errors import ApiError, missing
from embedded.store import moment, now

_FOLDER = Path(__file__).parent
# What a page says after something was done; an address may only name one of these.
_SAID = {
    "started": "The run has started.",
    "terminated": "The run is being terminated.",
    "retried": "The run goes on: what did not succeed runs again.",
    "archived": "Archived.",
    "unarchived": "No longer archived.",
    "deleted": "Deleted.",
    "enabled": "Enabled.",
    "disabled": "Disabled.",
    "created": "Created.",
    "uploaded": "Uploaded.",
}
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


def _files() -> dict[str, bytes]:
    """What pages load, by name: our own files, and htmx from the package that carries it."""
    spec = importlib.util.find_spec("django_htmx")
    assert spec and spec.submodule_search_locations
    htmx = Path(next(iter(spec.submodule_search_locations)), "static", "django_htmx", "htmx-2.min.js")
    own = {path.name: path.read_bytes() for path in (_FOLDER / "static").iterdir()}
    return {**own, "htmx.js": htmx.read_bytes()}


_FILES = _files()


def asset(name: str) -> str:
    """The address of a file, with its content's hash: browsers may keep it for ever."""
    return f"/static/{name}?{hashlib.sha256(_FILES[name]).hexdigest()[:12]}"


def when(text: str) -> Markup:
    """A moment; the script shows it in the reader's time zone."""
    if not text:
        return Markup("")
    return Markup('<time datetime="{}">{} UTC</time>').format(text, text[:19].replace("T", " "))


def took(begin: str, end: str) -> Markup:
    """The time from one moment to another, or to now, and then the script lets it run on."""
    if not begin:
        return Markup("")
    seconds = max(0.0, (moment(end or now()) - moment(begin)).total_seconds())
    running = Markup("") if end else Markup(' data-since="{}"').format(begin)
    return Markup("<span{}>{}</span>").format(running, duration(seconds))


def duration(seconds: float) -> str:
    """Seconds as people say them; page.js writes the same."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def shown(value: Any) -> str:
    """A parameter's value to look at, as it is written: of a long one the beginning."""
    return written(jsons.brief(value))


def written(value: Any) -> str:
    """A parameter's value: text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def number(value: Any) -> str:
    """A metric's value: at most six digits that count."""
    return f"{value:.6g}" if isinstance(value, float) else shown(value)


def kind(name: str) -> str:
    """An artifact's type without the `system.` of KFP's own."""
    return name.removeprefix("system.")


_ENV = Environment(
    loader=FileSystemLoader(_FOLDER / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
    lstrip_blocks=True,
)  # fmt: skip
_ENV.globals.update(asset=asset, took=took)
_ENV.filters.update(when=when, shown=shown, number=number, kind=kind, query=urlencode)


def prepare() -> None:
    """Read all templates, which takes a moment, before somebody waits for a page."""
    for name in _ENV.list_templates():
        _ENV.get_template(name)


def page(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A page, or, if htmx asks for one, the fragment that the template is."""
    said = _SAID.get(request.query_params.get("said", ""), "")
    base = str(request.base_url).rstrip("/")
    text = _ENV.get_template(template).render(path=request.url.path, base=base, said=said, **values)
    return HTMLResponse(text, status)


def fragment(template: str, **values: Any) -> str:
    """A part of a page."""
    return _ENV.get_template(template).render(**values)


def digest(text: str) -> str:
    """What a page sends back so as to hear only of what has changed since."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


async def form(request: Request, *, stripped: bool = False) -> dict[str, str]:
    """The texts that a form sent, without its files.

    Args:
        stripped: without blanks around them.
    """
    texts = {key: value for key, value in (await request.form()).items() if isinstance(value, str)}
    return {key: value.strip() for key, value in texts.items()} if stripped else texts


def goto(address: str, said: str = "") -> Response:
    """The answer to a form that was sent: another page, with a word about what was done."""
    if said:
        assert said in _SAID
        address += f"{'&' if '?' in address else '?'}said={said}"
    return RedirectResponse(address, 303)


def failed(request: Request, error: ApiError) -> Response:
    """An error as a page; a fragment's is as small as a fragment."""
    template = "problem.html" if request.headers.get("hx-request") else "error.html"
    return page(request, template, error.status, message=error.message, status_code=error.status)


async def static(request: Request) -> Response:
    """GET a file of the pages."""
    name = request.path_params["name"]
    if name not in _FILES:
        raise missing("file", name)
    kept = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(_FILES[name], media_type=_TYPES[Path(name).suffix], headers=kept)


ROUTES = [Route("/static/{name}", static)]
