"""Read and write JSON.

`read` is for untrusted input: it also refuses JSON that cannot be stored or handled safely. `load` and `dump` are for
the store's own JSON, which was checked before it was stored, and are fast.
"""

from __future__ import annotations

import json
import math
import re

from typing import Any, Final

import orjson

from mem0_exports.strict_json import refuse_constant
from mem0_exports_engine.limits import MAX_DEPTH, MAX_VALUES


def read(text: bytes) -> Any:
    """Parse untrusted JSON. Raises ValueError if it is not acceptable; its message can follow "the body is".

    Some valid JSON is refused too:

    - numbers that are too large for a float;
    - unpaired surrogates, which are not valid UTF-8;
    - deep nesting, or very many values;
    - a name that appears twice in one object, because parsers disagree on which of its values counts.

    NaN and infinities are refused as well, although Python's parser accepts them.
    """
    if not text.strip():
        raise ValueError("empty; it must be JSON")
    try:
        decoded = text.decode()
        _limit(decoded)
        value = _DECODER.decode(decoded)
        if "\\u" in decoded:
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValueError("not valid JSON: a string has an unpaired surrogate") from None
    except ValueError as error:
        raise ValueError(f"not valid JSON: {error}") from None
    return value


_MARKS: Final = bytes(48 if chr(byte) in "0123456789" else 58 if chr(byte) in ":,[-" else 32 for byte in range(256))
_LONG: Final = b":" + 19 * b"0"
"""The start of an integer that could need more than 64 bits, in a text whose bytes were translated with _MARKS."""


def load(text: str) -> Any:
    """Parse compact JSON from the store. Integers of any length are exact."""
    # orjson would turn integers beyond 64 bits into floats, so those texts go to the slower json module.
    long = len(text) >= 20 and _LONG in b":" + text.encode().translate(_MARKS)
    return json.loads(text) if long else orjson.loads(text)


def dump(value: Any) -> bytes:
    """Return a value as JSON in UTF-8. It must be a value that `read` or `load` could return."""
    try:
        return orjson.dumps(value)
    except TypeError:  # an integer beyond 64 bits
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


_STRING: Final = re.compile(r'"(?:[^"\\]|\\.?)*+"?', re.DOTALL)
"""A string, or the rest of the text if it is not closed, so that it matches at every quote and is never tried twice."""


def _limit(text: str) -> None:
    """Raise ValueError if a JSON text is nested too deep or has too many values."""
    brackets = text.count("[") + text.count("{")
    if brackets <= MAX_DEPTH and brackets + text.count(",") < MAX_VALUES:
        return
    marks = _STRING.sub("", text)  # brackets and commas inside strings mean nothing
    if _is_too_deep(marks):
        raise ValueError(f"nested more than {MAX_DEPTH} levels deep")
    if 1 + marks.count(",") + marks.count("[") + marks.count("{") > MAX_VALUES:
        raise ValueError(f"it has more than {MAX_VALUES} values; split it")


def _is_too_deep(text: str) -> bool:
    """Return whether the brackets of a text without strings are nested too deep."""
    depth = 0
    for letter in text:
        if letter in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                return True
        elif letter in "]}":
            depth -= 1
    return False


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise ValueError(f"the name {name[:40]!r} appears twice in one object")
            seen.add(name)
    return members


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text[:40]} is too large for a 64-bit float")
    return number


_DECODER: Final = json.JSONDecoder(parse_constant=refuse_constant, parse_float=_finite, object_pairs_hook=_object)
