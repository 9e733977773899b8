"""Compare two JSON Schemas: what one of them refuses and the other allows.

If the comparison cannot decide, for example between two patterns, it reports a refusal. In three points it is less
strict than JSON Schema:

- It treats a property that a schema does not describe as absent, and not as a property of any type.
- It compares oneOf like anyOf.
- It does not compare a format on one side with a pattern on the other.
"""

from __future__ import annotations

from enum import IntEnum
from math import inf
from typing import TYPE_CHECKING, Final, NamedTuple

from schema_view import KINDS, LOWER, OPAQUE, UPPER, Reader, Schema, View, text


if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_DEPTH: Final = 60
MAX_DIFFERENCES: Final = 300
"""The most differences that are listed for one schema. Longer lists come from parts that a document repeats."""

NOTHING: Final = "-"


class Difference(NamedTuple):
    """One difference between their schema and ours."""

    path: str
    """The place in the schema: properties by name, "[]" for items, and "*" for properties that are not listed."""

    aspect: str
    """What differs: a keyword, or one of missing, extra, properties, null, alternatives, more and depth."""

    theirs: str
    ours: str

    narrower: bool
    """Whether their schema could refuse a value that ours allows."""

    wider: bool
    """Whether their schema could allow a value that ours refuses."""

    def below(self, path: str) -> Difference:
        """Return the difference as seen from a schema that has this one at `path`."""
        joined = f"{path}{self.path}" if self.path.startswith("[") or not self.path else f"{path}.{self.path}"
        return self._replace(path=joined if path else self.path)


class _Fit(IntEnum):
    """How a branch of one side fits into a branch of the other."""

    NOT = 0
    WITH_NOTES = 1
    """Nothing is refused, but the branches differ, for example in a default."""
    EXACT = 2


class Comparison:
    """Compares schemas of two documents."""

    def __init__(self, theirs: Reader, ours: Reader) -> None:
        self._theirs = theirs
        self._ours = ours
        self._found: dict[tuple[tuple[int, ...], tuple[int, ...]], tuple[Difference, ...]] = {}

    def differences(self, theirs: Schema, ours: Schema, depth: int = 0) -> tuple[Difference, ...]:
        """Return the differences between two schemas."""
        # References are followed first, so that a schema that contains itself is compared and reported only once.
        theirs, ours = tuple(map(self._theirs.origin, theirs)), tuple(map(self._ours.origin, ours))
        key = (tuple(map(id, theirs)), tuple(map(id, ours)))
        if key not in self._found:
            if depth > MAX_DEPTH:
                return (Difference("", "depth", "nested too deeply", "not compared", narrower=True, wider=True),)
            # While two schemas that contain themselves are compared, their inner occurrences count as equal.
            self._found[key] = ()
            found = list(self._compare(self._theirs.view(theirs), self._ours.view(ours), depth))
            if rest := found[MAX_DIFFERENCES:]:
                narrower, wider = (any(each.narrower for each in rest), any(each.wider for each in rest))
                found[MAX_DIFFERENCES:] = [Difference("", "more", f"{len(rest)} more", "not listed", narrower, wider)]
            self._found[key] = tuple(found)
        return self._found[key]

    def _compare(self, theirs: View, ours: View, depth: int) -> Iterator[Difference]:
        if theirs.default != ours.default:
            yield _note("", "default", theirs.default or NOTHING, ours.default or NOTHING)
        if theirs.dangling or ours.dangling:
            left, right = (", ".join(each.dangling) or NOTHING for each in (theirs, ours))
            yield Difference("", "$ref", left, right, narrower=True, wider=True)
            return
        yield from _kinds(theirs, ours)
        if not theirs.kinds & ours.kinds:
            return
        if (theirs.unions or ours.unions) and (theirs.says_little or ours.says_little):
            yield from self._alternatives(theirs, ours, depth, base=True)
            return
        yield from _values(theirs, ours)
        yield from _bounds(theirs, ours)
        yield from _formats(theirs, ours)
        for keyword in OPAQUE:
            yield from _one_sided(keyword, theirs.opaque(keyword), ours.opaque(keyword))
        if "object" in theirs.kinds & ours.kinds:
            yield from self._objects(theirs, ours, depth)
        if "array" in theirs.kinds & ours.kinds and (theirs.items or ours.items):
            yield from self._inside("[]", theirs.items, ours.items, depth)
        if theirs.unions or ours.unions:
            yield from self._alternatives(theirs, ours, depth, base=False)

    def _inside(self, path: str, theirs: Schema, ours: Schema, depth: int) -> Iterator[Difference]:
        for each in self.differences(theirs, ours, depth + 1):
            yield each.below(path)

    def _objects(self, theirs: View, ours: View, depth: int) -> Iterator[Difference]:
        if theirs.closed != ours.closed:
            left, right = ("false", "true") if theirs.closed else ("true", "false")
            yield Difference("", "additionalProperties", left, right, theirs.closed, ours.closed)
        elif theirs.additional or ours.additional:
            yield from self._inside("*", theirs.additional, ours.additional, depth)
        unlisted = ours.properties.keys() - ours.required
        if not theirs.properties and not theirs.closed and not theirs.additional and unlisted:
            yield _note("", "properties", "any", ", ".join(sorted(unlisted)))
        for name in sorted(theirs.properties.keys() | ours.properties.keys() | theirs.required | ours.required):
            if name not in theirs.properties and name in ours.properties:
                yield from self._only_ours(name, theirs, ours, depth)
            elif name not in ours.properties and name in theirs.properties:
                yield from self._only_theirs(name, theirs, ours, depth)
            else:
                narrower, wider = name in theirs.required - ours.required, name in ours.required - theirs.required
                if narrower or wider:
                    left, right = ("required", "optional") if narrower else ("optional", "required")
                    yield Difference(name, "required", left, right, narrower, wider)
                yield from self._inside(name, theirs.properties.get(name, ()), ours.properties.get(name, ()), depth)

    def _only_ours(self, name: str, theirs: View, ours: View, depth: int) -> Iterator[Difference]:
        narrower = theirs.closed or name in theirs.required - ours.required
        wider = name in ours.required - theirs.required
        if narrower or wider or theirs.properties:
            word = "forbidden" if theirs.closed else "not described"
            yield Difference(name, "missing", word, self._member(self._ours, ours, name), narrower, wider)
        if theirs.additional and not theirs.closed:
            yield from self._inside(name, theirs.additional, ours.properties[name], depth)

    def _only_theirs(self, name: str, theirs: View, ours: View, depth: int) -> Iterator[Difference]:
        word = "forbidden" if ours.closed else "not described"
        narrower = name in theirs.required - ours.required
        wider = ours.closed or name in ours.required - theirs.required
        yield Difference(name, "extra", self._member(self._theirs, theirs, name), word, narrower, wider)
        if ours.additional and not ours.closed:
            yield from self._inside(name, theirs.properties[name], ours.additional, depth)

    def _alternatives(self, theirs: View, ours: View, depth: int, *, base: bool) -> Iterator[Difference]:
        """Yield a difference if a choice of branches on one side fits into no choice on the other side.

        With `base`, branches are compared together with the keywords beside the union. Without it, these keywords have
        already been compared.
        """
        if theirs.has_many_alternatives or ours.has_many_alternatives:
            if text(theirs.unions) != text(ours.unions):
                yield Difference("", "depth", "too many alternatives", "not compared", narrower=True, wider=True)
            return
        theirs_all, ours_all = theirs.alternatives(base=True), ours.alternatives(base=True)
        theirs_wanted, ours_wanted = theirs.alternatives(base=base), ours.alternatives(base=base)
        # Other kinds of values have already been reported as a difference of type.
        of_ours = [each for each in _by_kind(self._ours, ours_all) if self._ours.kinds(each) <= theirs.kinds]
        of_theirs = [each for each in _by_kind(self._theirs, theirs_all) if self._theirs.kinds(each) <= ours.kinds]
        fits = [max(self._fit(each, one, depth, narrower=True) for each in theirs_wanted) for one in of_ours]
        fits_back = [max(self._fit(one, each, depth, narrower=False) for each in ours_wanted) for one in of_theirs]
        # Without `base`, only one side has the keywords beside the unions, so an exact fit is not expected.
        enough = _Fit.EXACT if base else _Fit.WITH_NOTES
        if min([*fits, *fits_back], default=enough) < enough:
            left, right = _summaries(self._theirs, theirs_wanted), _summaries(self._ours, ours_wanted)
            yield Difference("", "alternatives", left, right, _Fit.NOT in fits, _Fit.NOT in fits_back)

    def _fit(self, theirs: Schema, ours: Schema, depth: int, *, narrower: bool) -> _Fit:
        # Null is ignored here, because it has been compared for all branches together.
        found = [each for each in self.differences(theirs, ours, depth + 1) if (each.path, each.aspect) != ("", "null")]
        if any(each.narrower if narrower else each.wider for each in found):
            return _Fit.NOT
        return _Fit.EXACT if all(each.narrower or each.wider for each in found) else _Fit.WITH_NOTES

    @staticmethod
    def _member(reader: Reader, view: View, name: str) -> str:
        word = "required" if name in view.required else "optional"
        return f"{word}, {kinds_of(reader.view(view.properties[name]))}"


def _by_kind(reader: Reader, schemas: list[Schema]) -> Iterator[Schema]:
    """Yield the schemas. A schema that allows several kinds of values is yielded once for each kind."""
    for schema in schemas:
        kinds = reader.kinds(schema)
        each = [part for part in _KINDS if kinds & reader.kinds((part,))]
        yield from [schema] if len(each) < 2 else [(*schema, part) for part in each]


_KINDS: Final = tuple({"type": name} for name in ("array", "boolean", "number", "object", "string"))


def _note(path: str, aspect: str, theirs: str, ours: str) -> Difference:
    return Difference(path, aspect, theirs, ours, narrower=False, wider=False)


def _kinds(theirs: View, ours: View) -> Iterator[Difference]:
    if theirs.kinds != ours.kinds:
        # null is reported separately, unless one side says nothing about the type.
        null = theirs.anything != ours.anything
        narrower = bool(ours.kinds - theirs.kinds) or (null and ours.nullable and not theirs.nullable)
        wider = bool(theirs.kinds - ours.kinds) or (null and theirs.nullable and not ours.nullable)
        yield Difference("", "type", kinds_of(theirs), kinds_of(ours), narrower, wider)
        if null:
            return
    if theirs.nullable != ours.nullable:
        left, right = ("null allowed", "not null") if theirs.nullable else ("not null", "null allowed")
        yield Difference("", "null", left, right, ours.nullable, theirs.nullable)


def _values(theirs: View, ours: View) -> Iterator[Difference]:
    if theirs.values == ours.values:
        return
    every = frozenset({"true", "false"}) if theirs.kinds == ours.kinds == {"boolean"} else None
    left, right = theirs.values or every, ours.values or every
    narrower = left is not None and (right is None or bool(right - left))
    wider = right is not None and (left is None or bool(left - right))
    if narrower or wider:
        shown = ["any" if each is None else ", ".join(sorted(each)) for each in (theirs.values, ours.values)]
        yield Difference("", "enum", shown[0], shown[1], narrower, wider)


def _bounds(theirs: View, ours: View) -> Iterator[Difference]:
    # The larger bound is always the stricter one, because `View.maximum` is negated.
    for keyword, sign, least, most in (
        ("minimum", 1, theirs.minimum, ours.minimum),
        ("maximum", -1, theirs.maximum, ours.maximum),
    ):
        if least != most:
            yield Difference("", keyword, _bound(least, sign), _bound(most, sign), least > most, least < most)
    for keyword in (*LOWER, *UPPER):
        left, right = theirs.limit(keyword), ours.limit(keyword)
        if left != right:
            narrower = (left > right) == (keyword in LOWER)
            none = 0 if keyword in LOWER else inf
            one, other = (NOTHING if each == none else _number(each) for each in (left, right))
            yield Difference("", keyword, one, other, narrower, not narrower)


def _bound(bound: tuple[float, bool], sign: int) -> str:
    value, excluded = bound
    return NOTHING if value == -inf else f"{_number(sign * value)}{' (excluded)' if excluded else ''}"


def _number(value: float) -> str:
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def _formats(theirs: View, ours: View) -> Iterator[Difference]:
    if "string" not in theirs.kinds & ours.kinds:
        return
    if bool(theirs.formats) != bool(ours.formats) and bool(theirs.patterns) != bool(ours.patterns):
        # A format on one side and a pattern on the other often mean the same, for example a date.
        left, right = (", ".join(sorted(each.formats | each.patterns)) or NOTHING for each in (theirs, ours))
        if bool(theirs.formats) != bool(theirs.patterns):
            yield _note("", "format", left, right)
            return
    yield from _one_sided("format", theirs.formats, ours.formats)
    yield from _one_sided("pattern", theirs.patterns, ours.patterns)


def _one_sided(keyword: str, theirs: frozenset[str], ours: frozenset[str]) -> Iterator[Difference]:
    """Yield a difference if a keyword has different values. They can only be compared for equality."""
    if theirs != ours:
        left, right = (", ".join(sorted(each)) or NOTHING for each in (theirs, ours))
        yield Difference("", keyword, left, right, bool(theirs - ours), bool(ours - theirs))


def kinds_of(view: View) -> str:
    """Return the types of a schema in words."""
    if view.kinds == KINDS:
        return "any"
    names = set(view.kinds)
    if "fraction" in names:
        names = (names - {"integer", "fraction"}) | {"number"}
    return " or ".join(sorted(names)) or ("null" if view.nullable else "nothing")


def _summaries(reader: Reader, schemas: list[Schema]) -> str:
    return " | ".join(sorted({_summary(reader.view(each)) for each in schemas}))


def _summary(view: View) -> str:
    known = sorted(view.properties.keys() | view.required)
    names = [name if name in view.required else f"{name}?" for name in known]
    shown = ", ".join([*names[:4], *(["..."] if len(names) > 4 else [])])
    kinds = kinds_of(view)
    return kinds if not names else f"({shown})" if kinds == "any" else f"{kinds} ({shown})"
