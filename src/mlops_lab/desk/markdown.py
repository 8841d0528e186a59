"""Texts of labs and tasks as HTML: Markdown with tables; HTML in it stays text, links lead to the web or nowhere."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

_WEB = re.compile(r"https?://", re.IGNORECASE)


def rendered(text: str, *, below: int = 0) -> str:
    """The text as HTML.

    Args:
        below: by how many levels its headings go down.
    """
    tokens = _PARSER.parse(text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + below)}"
    return str(_PARSER.renderer.render(tokens, _PARSER.options, {}))


def body(text: str) -> str:
    """A README without its first heading, which the page has at its top."""
    return re.sub(r"\A\s*#\s[^\n]*\n", "", text)


def _link_open(self: RendererHTML, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
    """A link to the web opens a window of its own; a file of the repository has no address here."""
    if not _WEB.match(str(tokens[at].attrGet("href") or "")):
        return "<span>"
    tokens[at].attrSet("target", "_blank")
    tokens[at].attrSet("rel", "noopener noreferrer")
    return self.renderToken(tokens, at, options, env)


def _link_close(self: RendererHTML, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
    depth = 0
    for token in reversed(tokens[:at]):  # links are not nested, so the nearest one that opens is its own
        if token.type == "link_open":
            depth = 1 if _WEB.match(str(token.attrGet("href") or "")) else 0
            break
    return "</a>" if depth else "</span>"


def _image(self: RendererHTML, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
    """A picture's words: nothing is fetched from elsewhere."""
    return escapeHtml(self.renderInlineAsText(tokens[at].children or [], options, env))


def _code(self: RendererHTML, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
    """Code may be wider than the page, and then the keys move it."""
    return self.fence(tokens, at, options, env).replace("<pre>", '<pre tabindex="0">', 1)


def _indented(self: RendererHTML, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
    return self.code_block(tokens, at, options, env).replace("<pre>", '<pre tabindex="0">', 1)


def _table_open(self: RendererHTML, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
    return '<div class="scroll" tabindex="0"><table>\n'


def _table_close(self: RendererHTML, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
    return "</table></div>\n"


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    rules = {
        "link_open": _link_open, "link_close": _link_close, "image": _image, "fence": _code, "code_block": _indented,
        "table_open": _table_open, "table_close": _table_close,
    }  # fmt: skip
    for name, rule in rules.items():
        parser.add_render_rule(name, rule)
    return parser


_PARSER = _parser()
