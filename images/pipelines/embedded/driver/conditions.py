"""Conditions of dsl.If, Elif and Else: the small part of CEL that the SDK's compiler writes, computed without `eval`.

The SDK's local orchestrator puts values into the text and evaluates that as Python, takes a condition that it can't
work out for false, and finds a value by guessing from its name. Here values stay values, and what can't be worked out
is an error that ends the run.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

_TOKEN = re.compile(r"""'[^']*'|"[^"]*"|&&|\|\||!=|!|[A-Za-z_]\w*|.""", re.DOTALL)
_WORDS = {"&&": " and ", "||": " or ", "!": " not ", "true": "True", "false": "False", "null": "None"}
_CALLS: dict[str, Callable[[Any], Any]] = {"int": int, "double": float, "float": float, "string": str, "str": str}
_COMPARE: dict[type, Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda item, items: item in items,
}


class ConditionError(ValueError):
    """A condition that can't be worked out."""


def holds(condition: str, values: Mapping[str, Any]) -> bool:
    """Does a condition hold?

    Args:
        condition: such as `inputs.parameter_values['pipelinechannel--flip-Output'] == 'heads'`.
        values: the task's input parameters.

    Raises:
        ConditionError: it can't be read, names a value that is not there, or compares what can't be compared.
    """
    text = "".join(_WORDS.get(token, token) for token in _TOKEN.findall(condition)).strip()
    try:
        return bool(_value(ast.parse(text, mode="eval").body, values))
    except ConditionError:
        raise
    except (SyntaxError, TypeError, ValueError) as error:
        raise ConditionError(f"the condition {condition!r} can't be worked out: {error}") from error


def _value(node: ast.expr, values: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.BoolOp(op=ast.And(), values=parts):
            return all(_value(part, values) for part in parts)
        case ast.BoolOp(op=ast.Or(), values=parts):
            return any(_value(part, values) for part in parts)
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            return not _value(inner, values)
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return -_value(inner, values)
        case ast.List(elts=items):
            return [_value(item, values) for item in items]
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _COMPARE:
            return _COMPARE[type(op)](_value(left, values), _value(right, values))
        case ast.Call(func=ast.Name(id="bool"), args=[inner], keywords=[]):
            found = _value(inner, values)
            return found.lower() == "true" if isinstance(found, str) else bool(found)
        case ast.Call(func=ast.Name(id=name), args=[inner], keywords=[]) if name in _CALLS:
            return _CALLS[name](_value(inner, values))
        case ast.Subscript(
            value=ast.Attribute(value=ast.Name(id="inputs"), attr="parameter_values"),
            slice=ast.Constant(value=str(name)),
        ):
            if name not in values:
                raise ConditionError(f"the condition needs {name}, which no task has produced")
            return values[name]
    raise ConditionError(f"the condition has a part that is not supported: {ast.unparse(node)}")
