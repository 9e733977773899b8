"""The argument SCHEMA: a type in a module or a file of the user, or a file with a JSON Schema."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import json
import operator
import sys
import typing

from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mem0_exports.errors import SchemaError


if TYPE_CHECKING:
    from types import ModuleType

_BUILTINS: Final = {each.__name__: each for each in (list, dict, set, tuple, frozenset, str, int, float, bool)} | {
    name: getattr(typing, name) for name in ("Any", "Optional", "Union", "Literal")
}

EXPECTED: Final = (
    "SCHEMA must be MODULE:TYPE such as app.models:Profile, FILE.py:TYPE such as models.py:list[Event], or a file with a "
    "JSON Schema such as profile.json"
)


def read_schema(text: str) -> Any:
    """Return the type or JSON Schema that the argument names; `-` reads a JSON Schema from standard input.

    Raises SchemaError if there is none.
    """
    place, colon, expression = text.partition(":")
    if text == "-" or Path(text).is_file() or (not colon and text.endswith(".json")):
        return _json_schema(text)
    if not colon or not place or not expression:
        raise SchemaError(f"{EXPECTED}; got {text!r}")
    return _type(expression, _module(place))


def _json_schema(name: str) -> dict[str, Any]:
    if name.endswith(".py"):
        raise SchemaError(f"say which type of the file to use: {name}:TYPE")
    try:
        found = json.loads(sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise SchemaError(f"there is no file {name!r}; {EXPECTED}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise SchemaError(f"the JSON Schema in {name!r} cannot be read: {error}") from None
    if not isinstance(found, dict):
        raise SchemaError(f"the JSON Schema in {name!r} must be a JSON object")
    return found


def _module(place: str) -> ModuleType:
    """Import a module or a file, with the current folder on the path, as `python` itself has it."""
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        if not place.endswith(".py"):
            return importlib.import_module(place)
        if not Path(place).is_file():
            raise SchemaError(f"there is no file {place!r}")
        name = Path(place).stem
        spec = importlib.util.spec_from_file_location(name, place)
        assert spec is not None  # it ends in .py
        assert spec.loader is not None
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    except SchemaError:
        raise
    except ModuleNotFoundError as error:
        raise SchemaError(
            f"{place}: {error}; run the command in the folder that contains your module, or install it"
        ) from None
    except Exception as error:
        raise SchemaError(f"importing {place} failed: {type(error).__name__}: {error}") from error
    return module


def _type(expression: str, module: ModuleType) -> Any:
    """Return the type that an expression such as `list[Event]` names. It is parsed, not run."""
    try:
        return _value(ast.parse(expression, mode="eval").body, module)
    except (SyntaxError, ValueError, TypeError, AttributeError, LookupError, RecursionError, MemoryError) as error:
        if isinstance(error, SchemaError):
            raise
        raise SchemaError(f"{expression[:80]!r} is not a type: {error}") from None


def _value(node: ast.expr, module: ModuleType) -> Any:  # noqa: PLR0911 -- one for each kind of expression
    match node:
        case ast.Name(id=name):
            if hasattr(module, name):
                return getattr(module, name)
            if name in _BUILTINS:
                return _BUILTINS[name]
            raise SchemaError(f"{module.__name__} has no {name!r}; it has {_types_of(module)}")
        case ast.Attribute(value=of, attr=name) if not name.startswith("_"):
            return getattr(_value(of, module), name)
        case ast.Constant(value=None | str() | int() as value):
            return value
        case ast.Tuple(elts=parts):
            return tuple(_value(part, module) for part in parts)
        case ast.Subscript(value=of, slice=item):
            return _value(of, module)[_value(item, module)]
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return reduce(operator.or_, (_value(left, module), _value(right, module)))
    raise SchemaError(f"{ast.unparse(node)[:80]!r} is not a type; write one such as Profile, list[Event] or A | B")


def _types_of(module: ModuleType) -> str:
    own = [name for name, value in vars(module).items() if isinstance(value, type) and not name.startswith("_")]
    return ", ".join(own[:10]) or "no types"
