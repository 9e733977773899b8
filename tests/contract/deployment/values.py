"""Hypothesis strategies for values that match a schema of openapi.yaml.

They know the keywords that openapi.yaml uses. They draw short, readable values from fixed lists and never from the
constants of the code, which st.text and st.integers also use: the same seed must draw the same values after any edit.
"""

from __future__ import annotations

import re

from collections.abc import Callable
from datetime import date
from typing import Any

from hypothesis import strategies as st

from tests.support.spec import behind


Values = st.SearchStrategy[Any]

ID_FIELDS = ("user_id", "agent_id", "app_id", "run_id")
_TEXTS = (
    "x",
    "Lisbon",
    "a b",
    "größe",
    "名前",
    "😀",
    "%",
    '"',
    "\\",
    "'",
    "a\nb",
    "{}",
    "null",
    "é",
    "\u200b",
    "../",
    "$ref",
)
_MOST_REFERENCES = 2
"""How often a schema may contain itself."""


class Schemas:
    """The strategies for the schemas of one document.

    `special` has strategies that replace the schema of a property, by its name; None leaves the property out.
    """

    def __init__(self, document: dict[str, Any], special: dict[str, Values | None]) -> None:
        self._document = document
        self._special = special

    def values(self, schema: dict[str, Any], inside: tuple[str, ...] = ()) -> Values | None:
        """Return a strategy for a schema, or None if every value of it would contain itself too often."""
        reference = schema.get("$ref")
        if reference is not None:
            if inside.count(reference) >= _MOST_REFERENCES:
                return None
            return self.values(behind(self._document, schema), (*inside, reference))
        if "const" in schema:
            return st.just(schema["const"])
        if "enum" in schema:
            return st.sampled_from(schema["enum"])
        for keyword in ("anyOf", "oneOf"):
            if keyword in schema:
                return _any_of(self.values(each, inside) for each in schema[keyword])
        kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        return _any_of(self._of_type(kind, schema, inside) for kind in kinds)

    def parameter(self, parameter: dict[str, Any]) -> Values:
        """Return a strategy for a parameter."""
        found = self.values(parameter["schema"])
        assert found is not None
        return found

    def _of_type(self, kind: str, schema: dict[str, Any], inside: tuple[str, ...]) -> Values | None:
        makers: dict[str, Callable[[], Values | None]] = {
            "object": lambda: self._objects(schema, inside),
            "array": lambda: self._arrays(schema, inside),
            "string": lambda: _strings(schema),
            "integer": lambda: _integers(schema),
            "number": lambda: st.sampled_from([0, 1, -1.5, 1e10]),
            "boolean": st.booleans,
            "null": st.none,
        }
        return makers[kind]()

    def _objects(self, schema: dict[str, Any], inside: tuple[str, ...]) -> Values | None:
        properties = {
            name: self._special[name] if name in self._special else self.values(each, inside)
            for name, each in schema.get("properties", {}).items()
        }
        possible = {name: each for name, each in properties.items() if each is not None}
        required = set(schema.get("required", ()))
        if not required <= possible.keys():
            return None
        if not properties:
            return st.dictionaries(texts(), texts(), max_size=2)
        optional = sorted(possible.keys() - required)
        fewest = max(schema.get("minProperties", 0) - len(required), 0)

        def of_names(names: list[str]) -> Values:
            return st.fixed_dictionaries({name: possible[name] for name in sorted({*required, *names})})

        if not optional:
            return of_names([])
        # Few properties at once keep the requests readable.
        chosen = st.lists(st.sampled_from(optional), min_size=fewest, max_size=max(fewest, 2), unique=True)
        return chosen.flatmap(of_names)

    def _arrays(self, schema: dict[str, Any], inside: tuple[str, ...]) -> Values | None:
        items = self.values(schema["items"], inside)
        fewest: int = schema.get("minItems", 0)
        if items is None:
            return None if fewest else st.just([])
        return st.lists(items, min_size=fewest, max_size=max(fewest, 2))


def texts(min_size: int = 0) -> Values:
    """Return a strategy for short texts, some of which are easily mishandled."""
    return st.lists(st.sampled_from(_TEXTS), min_size=min_size, max_size=max(min_size, 2)).map("".join)


def _strings(schema: dict[str, Any]) -> Values:
    if "pattern" in schema:
        found = st.from_regex(schema["pattern"], fullmatch=True, alphabet=st.characters(max_codepoint=126))
        return found.filter(_is_on_the_calendar)
    if schema.get("format") == "uuid":
        return st.uuids(version=4).map(str)
    return texts(schema.get("minLength", 0))


def _is_on_the_calendar(text: str) -> bool:
    """Return whether a text is anything but a date or time that does not exist, which no pattern can exclude.

    The first and the last year are excluded too, because an offset may lead beyond them.
    """
    if not re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        return True
    try:
        return 1 < date.fromisoformat(text[:10]).year < 9999
    except ValueError:
        return False


def _integers(schema: dict[str, Any]) -> Values:
    least, most = schema.get("minimum", -(2**31)), schema.get("maximum", 2**31 - 1)
    near = {least, least + 1, least + 2, (least + most) // 2, most - 1, most}
    return st.sampled_from(sorted(each for each in near if least <= each <= most))


def _any_of(strategies: Any) -> Values | None:
    found = [each for each in strategies if each is not None]
    return st.one_of(found) if found else None
