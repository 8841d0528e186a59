"""Requests to a platform: over TLS, to addresses of its registration only, and where a redirect leads nobody goes.

Addresses of services come in messages and answers. A platform that has signed them still names no server of the class's
own network, nor another platform's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.simple_httpclient import SimpleAsyncHTTPClient

from mlops_lab.base.errors import LabError, transient_status
from mlops_lab.classroom.lti.ports import Answer, Http

_LARGEST = 4 << 20  # bytes of an answer
_WITHIN = 20  # s
_PLAIN = re.compile(r"[!-\[\]-~]+")  # ASCII without spaces and "\", which programs read in two ways
_LINK = re.compile(r"<([^<>]*)>([^<]*)")
_NEXT = re.compile(r';\s*rel\s*=\s*(?:"([^"]*)"|([^\s";,]+))', re.IGNORECASE)


def origin(url: str) -> str:
    """Scheme, host and port of an https address, such as `https://moodle.example:443`; empty for any other text."""
    if not _PLAIN.fullmatch(url):
        return ""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        (host or "").encode("idna")  # as a socket does: parts between dots have 1 to 63 characters
    except ValueError:
        return ""
    if parts.scheme != "https" or not host or "@" in parts.netloc or parts.fragment:
        return ""
    return f"https://{f'[{host}]' if ':' in host else host}:{443 if port is None else port}"


async def ask(
    http: Http, allowed: Collection[str], method: str, url: str, headers: Mapping[str, str], body: bytes | None = None
) -> Answer:
    """Send a request to one of the allowed origins.

    Raises:
        LabError: the address is of no allowed origin, there is no answer, or its status is none of 2xx; the latter is
            a `Declined`.
    """
    if origin(url) not in allowed:
        raise LabError(
            f"{url} is no https address of this platform's registration",
            "if it is right, name its origin under services in the file of platforms",
        )
    answer = await http(method, url, headers, body)
    if not 200 <= answer.status < 300:
        raise Declined(answer, method, url)
    return answer


class Declined(LabError):
    """A platform has answered with another status than 2xx."""

    def __init__(self, answer: Answer, method: str, url: str) -> None:
        redirects = 300 <= answer.status < 400
        super().__init__(
            f"{urlsplit(url).hostname} answered {method} {urlsplit(url).path} with {answer.status}",
            "redirects are not followed: put the address where it leads into the file of platforms"
            if redirects
            else "see the platform's log, and what it lets this tool do",
            detail=answer.body[:500].decode("utf-8", "replace"),
            transient=transient_status(answer.status),
        )
        self.answer = answer


def parsed(answer: Answer, what: str) -> Any:
    """The JSON of an answer.

    Raises:
        LabError: it is none.
    """
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError) as broken:
        raise LabError(f"the platform's {what} is no JSON", "see the platform's log") from broken


def following(link: str) -> str:
    """The address of the next page, by a Link header (RFC 8288); empty on the last one."""
    for address, parameters in _LINK.findall(link):
        relations = [quoted or plain for quoted, plain in _NEXT.findall(parameters)]
        if any("next" in each.lower().split() for each in relations):
            return str(address)
    return ""


def page_after(answer: Answer, url: str, what: str) -> str:
    """The address of the page that follows an answer; empty on the last one.

    Args:
        url: what was asked; the next page may be named from there.

    Raises:
        LabError: it is no address.
    """
    further = following(answer.headers.get("link", ""))
    try:
        return urljoin(url, further) if further else ""
    except ValueError as broken:
        raise LabError(f"{what} goes on at {further}, which is no address", "see the platform's log") from broken


class TornadoHttp:
    """`ports.Http` by tornado's own client, which has no cookies, no proxies and no cache.

    Args:
        authorities: a file of certificates to trust in place of the system's, as a school's own platform may need.
    """

    def __init__(self, authorities: str | None = None) -> None:
        self._authorities = authorities
        self._client: SimpleAsyncHTTPClient | None = None

    async def __call__(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        """Ask.

        Raises:
            LabError: there was no answer, or too large a one.
        """
        if self._client is None:  # it belongs to the loop that runs now
            self._client = SimpleAsyncHTTPClient(force_instance=True, max_body_size=_LARGEST)
        request = HTTPRequest(
            url, method, dict(headers), body, follow_redirects=False, decompress_response=False,
            ca_certs=self._authorities, connect_timeout=_WITHIN, request_timeout=_WITHIN, user_agent="mlops-lab",
        )  # fmt: skip
        try:
            answer = await self._client.fetch(request, raise_error=False)
        except (OSError, HTTPClientError) as trouble:
            raise LabError(
                f"{urlsplit(url).hostname} does not answer: {trouble}", "try again in a minute", transient=True
            ) from trouble
        return Answer(answer.code, {name.lower(): value for name, value in answer.headers.get_all()}, answer.body)
