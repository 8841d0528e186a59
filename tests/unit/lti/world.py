"""What stands between a class's server and a platform: people with browsers, and what a server does by itself."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import requests

from mlops_lab.classroom.lti.outward import TornadoHttp
from mlops_lab.classroom.lti.tool import Tool
from tests.unit.lti.school import School


class Form(HTMLParser):
    """The form of a page: where it goes, and what it carries."""

    def __init__(self, page: requests.Response) -> None:
        super().__init__()
        self.action, self.fields, self.choices = "", {}, []  # type: ignore[var-annotated]
        self.feed(page.text)
        self.action = urljoin(page.url, self.action)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form":
            self.action = given["action"] or ""
        elif tag == "input" and given.get("type") in ("checkbox", "radio"):
            self.choices.append((given["name"], given["value"]))
        elif tag == "input":
            self.fields[given["name"]] = given["value"]


class Browser:
    """A person's browser: cookies, redirects, forms."""

    def __init__(self, school: School, trusted: Path) -> None:
        self.school, self.session = school, requests.Session()
        self.session.verify, self.session.trust_env = str(trusted), False

    def open(self, user: str, link: str) -> Form:
        """A link on the platform, up to the form that carries the platform's message."""
        return Form(self.session.get(f"{self.school.address}/begin", params={"user": user, "link": link}))

    def send(self, form: Form, **more: Any) -> requests.Response:
        """Press the form's button."""
        return self.session.post(form.action, data={**form.fields, **more})


class World:
    """The class's server, the platform, and what is between them."""

    def __init__(self, trusted: Path, school: School, made: list[Tool]) -> None:
        self.trusted, self.school, self.tool = trusted, school, made[0]

    def browser(self) -> Browser:
        return Browser(self.school, self.trusted)

    def asking(self) -> Tool:
        """The tool, for a loop of the test's own."""
        tool = self.tool
        return Tool(
            tool.address, tool.name, tool.own, tool.store, TornadoHttp(str(self.trusted)), tool.clock, tool.labs,
            tool.land, tool.platforms,
        )  # fmt: skip
