"""What stands in texts for a step's inputs and outputs, filled in once: what a value says is data, also where it looks
like a placeholder. The SDK's local orchestrator goes through values again, up to where a step can't read its own input.

Nothing here asks the server.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from kfp import dsl
from kfp.local import placeholder_utils

from embedded.driver import parameters

_ANY = re.compile(r"\{\{\$[^{}]*\}\}")
_CHANNEL = re.compile(r"\{\{\$\.inputs\.parameters\['+(pipelinechannel--[^']+)'+\]\}\}")  # as compilers write it
_INPUT = re.compile(r"\{\{\$\.inputs\.parameters\['+([^']+)'+\]\}\}")
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
    # There, the driver writes numbers, unless there is an output in the word, which its launcher fills in.
    word = parameters.as_text if "$.outputs" in text else _short

    def value(found: re.Match[str]) -> str:
        form = found[0]
        if form in known:
            return known[form]
        if form == "{{$}}":
            return json.dumps(given)
        if form in ("{{$.outputs.output_file}}", "{{$.outputMetadataUri}}"):
            return str(given["outputs"]["outputFile"])
        if name := _INPUT.fullmatch(form):
            return word(given.get("inputs", {}).get("parameterValues", {}).get(name[1]))
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
        return parameters.as_text(others[found[1]])

    return parameters.in_texts(value, lambda text: _CHANNEL.sub(known, text))


def _short(value: Any) -> str:
    """A value as KFP's driver writes it in a command: of a number that is not whole as Go's %g does it."""
    if not isinstance(value, float) or value.is_integer():
        return parameters.as_text(value)
    digits = len(Decimal(repr(value)).normalize().as_tuple().digits)
    exponent = f"{value:.{digits - 1}e}"
    return exponent if not -4 <= int(exponent.partition("e")[2]) < 6 else parameters.as_text(value)


def local_path(uri: str) -> str:
    """Where a program in the pod finds an artifact; the SDK's own rule."""
    return str(dsl.Artifact(uri=uri).path)
