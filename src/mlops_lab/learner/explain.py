"""`lab explain`: what a failed check sent, what came back, how long answers took, and the events around it."""

from __future__ import annotations

import textwrap
from typing import Any

from mlops_lab.checks.report import visible

# A plot's rows; more than one screen of text is too much.
_ROWS = 12
_MARGIN = 2


def explained(result: dict[str, Any], trace: dict[str, Any], *, width: int = 100, colour: bool = False) -> str:
    """The explanation as text.

    Args:
        result: the check's result, as `Records.results` has it.
        trace: as `Records.trace` has it (`checks.trace.Trace.plain`, with `events`).
    """
    lines = [f"{result['check']}: {result['title']}", ""]
    for label in ("expected", "seen", "why"):
        if result[label]:
            lines += _wrapped(f"{label.ljust(10)}{result[label]}", width, 10 + _MARGIN)
    lines += [f"  {visible(text)}" for text in result["evidence"]]
    for load in trace.get("loads", ()):
        lines += ["", *_load(load, width, colour)]
    if requests := trace.get("requests", ()):
        left_out = f" ({trace['left_out']} more in between)" if trace.get("left_out") else ""
        lines += ["", f"What was sent, and what came back{left_out}"]
        for request in requests:
            lines += _request(request, width)
    if trace.get("objects"):
        lines += ["", "What it looked at: " + ", ".join(trace["objects"])]
    if events := trace.get("events"):
        lines += ["", "Events of these objects and of their pods (UTC)"]
        for event in events:
            lines += _wrapped(event, width, 9 + _MARGIN)
    return "\n".join(lines)


def plot(load: dict[str, Any], width: int, colour: bool) -> str:
    """The latencies of a load over its time, in the characters of a terminal; empty when nothing was answered.

    Args:
        load: as `checks.trace.drawn` gives it.
    """
    import plotext

    slices = load["slices"]
    answered = [(number * load["slice"], each) for number, each in enumerate(slices) if each["p50"] is not None]
    lost = [number * load["slice"] for number, each in enumerate(slices) if each["failed"]]
    if not answered:
        return ""
    plotext.clear_figure()
    plotext.plotsize(min(width, 90), _ROWS)
    if not colour:
        plotext.theme("clear")
    seconds = [at for at, _ in answered]
    for name, mark in (("p99", "dot"), ("p50", "+")):
        plotext.plot(seconds, [each[name] * 1000 for _, each in answered], label=f"{name} in ms", marker=mark)
    if lost:
        plotext.scatter(lost, [0] * len(lost), label="failed", marker="x")
    plotext.xlabel("seconds since the load began")
    plotext.ylim(0, None)
    text = str(plotext.build())
    return text if colour else str(plotext.uncolorize(text))


def _load(load: dict[str, Any], width: int, colour: bool) -> list[str]:
    kinds = [f"{number} x {'no answer' if status == '0' else status}" for status, number in load["statuses"].items()]
    p50, p99 = load["p50"], load["p99"]
    half = f"; half within {p50 * 1000:.0f} ms, 99 of 100 within {p99 * 1000:.0f} ms" if p50 is not None else ""
    lines = [
        f"The load on {load['url']}: {load['rate']}",
        *_wrapped(f"{load['sent']} sent, {load['failed']} failed: {', '.join(kinds) or 'no answers'}{half}", width, 2),
        *(f"  {number} x {visible(error)}" for error, number in load["errors"].items()),
    ]
    return lines + plot(load, width, colour).splitlines()


def _request(request: dict[str, Any], width: int) -> list[str]:
    took = f"{request['seconds'] * 1000:.0f} ms"
    status = f"{request['status']} after {took}" if request["status"] else f"no answer after {took}"
    lines = [f"  {request['method']} {visible(request['url'])} -> {status}"]
    if request["sent"]:
        lines += _wrapped(f"  > {request['sent']}", width, 4 + _MARGIN)
    if request["got"]:
        lines += _wrapped(f"  < {request['got']}", width, 4 + _MARGIN)
    return lines


def _wrapped(text: str, width: int, behind: int) -> list[str]:
    """Lines of at most `width`, the first with a margin, the next ones `behind` it."""
    return textwrap.wrap(
        visible(text), width, initial_indent=" " * _MARGIN, subsequent_indent=" " * behind, break_on_hyphens=False,
    ) or [""]  # fmt: skip
