"""JSON: what strangers send, where what cannot be stored or handled safely is refused as if it were no JSON; and what the
store holds, which was refused or accepted before and is only to be fast.
"""

from __future__ import annotations

import json
import math

from typing import Any, Final

import orjson

from mem0_exports.strict_json import refuse_constant


MAX_BYTES: Final = 10 * 1024 * 1024
"""Bytes of one document that a stranger may send: the body of a request, or a line of an import."""

MAX_DEPTH: Final = 100
"""How deep a document may be nested."""


def read(text: bytes) -> Any:
    """The value of a JSON text; ValueError, with a sentence for people, where there is none.

    Refused too: NaN, infinities and numbers too large for a float, halves of surrogate pairs, deep nesting, and names
    that stand twice in one object, of which readers keep different ones.
    """
    if not text.strip():
        raise ValueError("empty, expected JSON")
    try:
        decoded = text.decode()
        if decoded.count("[") + decoded.count("{") > MAX_DEPTH and _depth(decoded) > MAX_DEPTH:
            raise ValueError(f"nested more than {MAX_DEPTH} deep")
        value = _DECODER.decode(decoded)
        if "\\u" in decoded:
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValueError("not JSON: half of a surrogate pair") from None
    except ValueError as error:
        raise ValueError(f"not JSON: {error}") from None
    return value


_MARKS: Final = bytes(48 if chr(byte) in "0123456789" else 58 if chr(byte) in ":,[-" else 32 for byte in range(256))
_LONG: Final = b":" + 19 * b"0"
"""Where an integer may begin that is longer than 64 bits, in a text whose bytes were replaced by those of _MARKS."""


def load(text: str) -> Any:
    """The value of a compact JSON text of the store. Integers of any length stay what they are."""
    # orjson reads integers beyond 64 bits as floats.
    long = len(text) >= 20 and _LONG in b":" + text.encode().translate(_MARKS)
    return json.loads(text) if long else orjson.loads(text)


def dump(value: Any) -> bytes:
    """The JSON text, in UTF-8, of a value that was read here."""
    try:
        return orjson.dumps(value)
    except TypeError:  # an integer beyond 64 bits
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _depth(text: str) -> int:
    """How deep brackets are nested, at most; those inside strings count too, which only errs on the safe side."""
    deepest = depth = 0
    for letter in text:
        if letter in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif letter in "]}":
            depth -= 1
    return deepest


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise ValueError(f"the name {name[:40]!r} stands twice in one object")
            seen.add(name)
    return made


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]} is too large a number")
    return number


_DECODER: Final = json.JSONDecoder(parse_constant=refuse_constant, parse_float=_finite, object_pairs_hook=_object)
