"""Filters as people write them at a shell: `--where` in the syntax of `F`, or JSON. The text is never run as code."""

from __future__ import annotations

import ast
import json
import operator
import sys

from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mem0_exports.errors import FilterError, InputError
from mem0_exports.filters.fields import F
from mem0_exports.filters.tree import Filter


if TYPE_CHECKING:
    from collections.abc import Callable

_MAX_LENGTH: Final = 1_000_000
"""The most characters of a filter."""

_COMPARISONS: Final[dict[type[ast.cmpop], Callable[[Any, Any], Any]]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}

_JOINS: Final[dict[type[ast.operator], Callable[[Any, Any], Any]]] = {
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
}

_TYPES: Final = {"date": date, "datetime": datetime}
"""The only functions that a filter can call, besides the methods of the fields of F."""

_EXAMPLE: Final = '(F.user_id == "alex") & F.categories.in_("food")'


def read_where(text: str) -> Filter | dict[str, Any]:
    """Return the filter that a text says: F syntax, a JSON object, `@FILE`, or `-` for standard input.

    Raises FilterError if it is none of these.
    """
    if text == "-":
        text = sys.stdin.read(_MAX_LENGTH + 1)
    elif text.startswith("@"):
        try:
            text = Path(text[1:]).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"--where: the file {text[1:]!r} cannot be read: {error}", field="where") from None
    if len(text) > _MAX_LENGTH:
        raise FilterError(f"--where must be at most {_MAX_LENGTH:,} characters long")
    text = text.strip().removeprefix("\ufeff")
    return _of_json(text) if text.startswith("{") else _of_expression(text)


def _of_json(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FilterError(f"--where is not valid JSON: {error}") from None
    if not isinstance(found, dict):
        raise FilterError("--where must be a JSON object")
    return found


def _of_expression(text: str) -> Filter:
    try:
        found = _value(ast.parse(text, mode="eval").body)
    except SyntaxError as error:
        raise FilterError(
            f"--where is neither F syntax, such as {_EXAMPLE}, nor JSON: {error.msg}: {text[:80]}"
        ) from None
    except (RecursionError, MemoryError):
        raise FilterError("--where is nested too deep; use fewer levels of parentheses") from None
    except ValueError as error:  # a null character, or a date that does not exist; FilterError is a ValueError too
        if isinstance(error, InputError):
            raise
        raise FilterError(f"--where: {error}") from None
    except (TypeError, OverflowError, LookupError) as error:  # such as F.user_id == "a" & 1, or [1][10]
        raise FilterError(f"--where: {error}; write it as {_EXAMPLE}") from None
    if not isinstance(found, Filter):
        raise FilterError(f"--where must be a filter such as {_EXAMPLE}, got {text[:80]}")
    return found


def _value(node: ast.expr) -> Any:  # noqa: PLR0911 -- one for each kind of expression
    """Return the value of an expression, if it consists only of what filters need."""
    match node:
        case ast.Name(id="F"):
            return F
        case ast.BinOp(left=left, op=join, right=right) if type(join) in _JOINS:
            return _JOINS[type(join)](_value(left), _value(right))
        case ast.UnaryOp(op=ast.Invert(), operand=operand):
            return ~_value(operand)
        case ast.Compare():
            return _comparison(node)
        case ast.Subscript(value=of, slice=key):
            return _value(of)[_value(key)]
        case ast.Attribute(value=of, attr=name):
            return _attribute(of, name)
        case ast.Call():
            return _call(node)
        case ast.BoolOp() | ast.UnaryOp(op=ast.Not()):
            raise FilterError("--where: write & for and, | for or, and ~ for not, with parentheses around each part")
    return _literal(node)


def _literal(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Set(elts=parts):
            return [_value(part) for part in parts]
        case ast.Dict(keys=keys, values=values):
            return {_value(key): _value(value) for key, value in zip(keys, values, strict=True) if key is not None}
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return -number
    raise FilterError(f"--where: {ast.unparse(node)[:80]!r} cannot be in a filter; an example is {_EXAMPLE}")


def _comparison(node: ast.Compare) -> Any:
    if len(node.ops) > 1:
        raise FilterError(
            '--where: put each comparison in parentheses: (F.user_id == "alex") & (F.created_at > "2025-01-01")'
        )
    operation = type(node.ops[0])
    if operation not in _COMPARISONS:
        raise FilterError('--where: write F.user_id.in_("a", "b") instead of F.user_id in ["a", "b"]')
    return _COMPARISONS[operation](_value(node.left), _value(node.comparators[0]))


def _attribute(of: ast.expr, name: str) -> Any:
    owner = _value(of)
    # Only fields and their methods: every other object has attributes that lead to the interpreter.
    is_field = type(owner).__module__ == F.user_id.__class__.__module__ and not isinstance(owner, Filter)
    if name.startswith("_") or not (owner is F or is_field) or not hasattr(owner, name):
        known = ", ".join(sorted(field for field in dir(F) if not field.startswith("_")))
        raise FilterError(f"--where: {ast.unparse(of)[:40]}.{name[:40]} is unknown; the fields are {known}")
    return getattr(owner, name)


def _call(node: ast.Call) -> Any:
    arguments = [_value(argument) for argument in node.args]
    named = {keyword.arg: _value(keyword.value) for keyword in node.keywords if keyword.arg is not None}
    match node.func:
        case ast.Name(id=name) if name in _TYPES and not named and all(isinstance(each, int) for each in arguments):
            made = _TYPES[name](*arguments)
            return made.replace(tzinfo=UTC) if isinstance(made, datetime) else made
        case ast.Attribute():
            method = _value(node.func)
            if callable(method):
                return method(*arguments, **named)
    raise FilterError(f"--where: {ast.unparse(node)[:80]!r} cannot be in a filter; an example is {_EXAMPLE}")
