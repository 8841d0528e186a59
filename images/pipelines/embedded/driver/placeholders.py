"""What stands in texts for a step's inputs and outputs, filled in once: what a value says is data, also where it looks
like a placeholder. The SDK's local orchestrator goes through values again, up to where a step can't read its own input.

Nothing here asks the server.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from kfp import dsl
from kfp.local import placeholder_utils

from embedded.driver import parameters

_ANY = re.compile(r"\{\{\$[^{}]*\}\}")
_CHANNEL = re.compile(r"\{\{\$\.inputs\.parameters\['+(pipelinechannel--[^']+)'+\]\}\}")  # as compilers write it
_PATH = re.compile(r"\{\{\$\.(inputs|outputs)\.artifacts\['+([^']+)'+\]\.path\}\}")
_OTHER = re.compile(
    r"\{\{\$\.(?:inputs\.parameters\['+[^']+'+\][^{}]*|outputs\.parameters\['+[^']+'+\]\.output_file"
    r"|(?:inputs|outputs)\.artifacts\['+[^']+'+\]\.[^{}]+)\}\}"
)


def filled(text: str, given: dict[str, Any], known: Mapping[str, str]) -> str:
    """A text of a component with values in place of its placeholders; others in double braces stay as they are.

    Args:
        given: the step's executor input, as a dictionary.
        known: what other placeholders stand for, such as those of the run.
    """

    def value(found: re.Match[str]) -> str:
        form = found[0]
        if form in known:
            return known[form]
        if form == "{{$}}":
            return json.dumps(given)
        if form in ("{{$.outputs.output_file}}", "{{$.outputMetadataUri}}"):
            return str(given["outputs"]["outputFile"])
        if place := _PATH.fullmatch(form):  # the SDK, running on the user's machine, takes the URI for it
            artifacts = given.get(place[1], {}).get("artifacts", {}).get(place[2], {}).get("artifacts", [])
            return local_path(artifacts[0]["uri"]) if artifacts else form
        return str(placeholder_utils.resolve_io_placeholders(given, form)) if _OTHER.fullmatch(form) else form

    return _ANY.sub(value, text)


def together(value: Any, others: Mapping[str, Any]) -> Any:
    """An input that is written in the pipeline, with the values of other inputs of its task where it names them, as in
    f"{one.output}, {two.output}".

    Args:
        others: the task's inputs.
    """

    def known(found: re.Match[str]) -> str:
        if found[1] not in others:
            return found[0]
        other = others[found[1]]
        return other if isinstance(other, str) else json.dumps(other)

    return parameters.in_texts(value, lambda text: _CHANNEL.sub(known, text))


def local_path(uri: str) -> str:
    """Where a program in the pod finds an artifact; the SDK's own rule."""
    return str(dsl.Artifact(uri=uri).path)
